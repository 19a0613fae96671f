package goeval

import (
	"go/ast"
	"go/constant"
	"go/token"
	"math"
)

func (p *Program) unary(env *scope, e *ast.UnaryExpr) Value {
	if e.Op == token.AND {
		if lit, ok := ast.Unparen(e.X).(*ast.CompositeLit); ok {
			return &Pointer{&Cell{p.composite(env, lit, nil), lit}}
		}
		c, in := p.cellIn(env, e.X)
		if c != nil {
			return &Pointer{c}
		}
		return mix(unknownf("%s", p.show(e)), in)
	}
	v := p.eval(env, e.X)
	switch x := v.(type) {
	case Truth:
		if e.Op == token.NOT {
			return Truth{!x.B, x.Type}
		}
	case Number:
		if e.Op == token.SUB || e.Op == token.ADD || e.Op == token.XOR && x.V.Kind() == constant.Int && x.Type == nil {
			return number(constant.UnaryOp(e.Op, x.V, 0), x.Type)
		}
	}
	return p.reason(v, e)
}

func (p *Program) evalBinary(env *scope, e *ast.BinaryExpr) Value {
	x := p.eval(env, e.X)
	if e.Op != token.LAND && e.Op != token.LOR {
		return p.binary(e.Op, x, p.eval(env, e.Y), e)
	}
	a, known := Bool(x)
	if known && a == (e.Op == token.LOR) {
		return x
	}
	if known {
		return p.eval(env, e.Y)
	}
	// What the right side would do may or may not happen; what it is worth
	// may decide.
	why := p.reason(x, e.X)
	var y Value
	f := p.fork(why, func() flow { y = p.eval(env, e.Y); return flow{} }, func() flow { return flow{} })
	p.mayPanic(f)
	if b, ok := Bool(y); ok && b == (e.Op == token.LOR) {
		return y
	}
	return why
}

// mayPanic gives up where it is not known whether an expression panics and a
// function may recover.
func (p *Program) mayPanic(f flow) {
	if p.recovering > 0 && f.has(panics) {
		panic(stopping{"whether a function recovers from a panic is not known"})
	}
}

// binary returns x op y.
func (p *Program) binary(op token.Token, x, y Value, node ast.Node) Value {
	if op == token.EQL || op == token.NEQ {
		if eq, known := equal(x, y); known {
			return boolValue(eq == (op == token.EQL))
		}
		return firstUnknown(x, y)
	}
	switch a := x.(type) {
	case Text:
		if b, ok := y.(Text); ok {
			return p.binaryText(op, a, b, node)
		}
	case Number:
		if b, ok := y.(Number); ok {
			return p.binaryNumber(op, a, b, node)
		}
	}
	return firstUnknown(x, y)
}

func (p *Program) binaryText(op token.Token, a, b Text, node ast.Node) Value {
	switch op {
	case token.LSS:
		return boolValue(a.S < b.S)
	case token.LEQ:
		return boolValue(a.S <= b.S)
	case token.GTR:
		return boolValue(a.S > b.S)
	case token.GEQ:
		return boolValue(a.S >= b.S)
	case token.ADD:
		if len(a.S)+len(b.S) > maxText {
			panic(stopping{"a string grows beyond reason at " + p.Fset.Position(node.Pos()).String()})
		}
		p.charge(len(a.S) + len(b.S))
		return Text{a.S + b.S, typed(a.Type, b.Type)}
	}
	return unknownf("an operation that is not understood")
}

func (p *Program) binaryNumber(op token.Token, a, b Number, node ast.Node) Value {
	typ := typed(a.Type, b.Type)
	whole := a.V.Kind() == constant.Int && b.V.Kind() == constant.Int && typ.under().kind != kindFloat
	switch op {
	case token.LSS, token.LEQ, token.GTR, token.GEQ:
		return boolValue(constant.Compare(a.V, op, b.V))
	case token.ADD, token.SUB, token.MUL:
		return number(constant.BinaryOp(a.V, op, b.V), typ)
	case token.QUO, token.REM:
		switch {
		case constant.Sign(b.V) == 0:
			if whole && typ != unknownType {
				p.raise(nil, "division by zero")
			}
		case whole && op == token.QUO:
			return number(constant.BinaryOp(a.V, token.QUO_ASSIGN, b.V), typ) // the operator for whole numbers
		case whole, op == token.QUO:
			return number(constant.BinaryOp(a.V, op, b.V), typ)
		}
	case token.AND, token.OR, token.XOR, token.AND_NOT:
		if whole {
			return number(constant.BinaryOp(a.V, op, b.V), typ)
		}
	case token.SHL, token.SHR:
		if n, ok := Int(b); ok && a.V.Kind() == constant.Int && n >= 0 && n < 512 {
			v := constant.Shift(a.V, op, uint(n))
			if a.Type == nil && b.Type != nil && constant.BitLen(v) > 7 {
				return unknownf("a shift whose type is not known")
			}
			return number(v, a.Type)
		}
	}
	return unknownf("an operation that is not understood")
}

// typed returns the type of an operation: that of the operand that has one.
func typed(a, b *Type) *Type {
	if a != nil {
		return a
	}
	return b
}

// maxText bounds the strings that are put together, in bytes.
const maxText = 1 << 20

// number returns a number that was computed, if it is one that a program could
// hold: where it would overflow it is unknown.
func number(v constant.Value, typ *Type) Value {
	if typ != nil {
		switch t := typ.under(); t.kind {
		case kindInt:
		case kindFloat:
			if v = rounded(v, t.bits); v == nil {
				return unknownf("a number that overflows")
			}
			return Number{v, typ}
		default:
			return unknownf("a number of a type that is not known")
		}
	}
	if v.Kind() == constant.Int && !fits(v, typ.under()) {
		return unknownf("a number that overflows")
	}
	return Number{v, typ}
}

// rounded returns a number as a floating-point variable holds it, or nil.
func rounded(v constant.Value, bits int) constant.Value {
	v = constant.ToFloat(v)
	if v.Kind() != constant.Float {
		return nil
	}
	f, _ := constant.Float64Val(v)
	if bits == 32 {
		f = float64(float32(f))
	}
	if math.IsInf(f, 0) || f == 0 && constant.Sign(v) != 0 {
		return nil
	}
	return constant.ToFloat(constant.MakeFloat64(f))
}

// fits reports whether a whole number is one of a type; of an untyped constant
// there are very large ones.
func fits(v constant.Value, t *Type) bool {
	bits := constant.BitLen(v)
	switch {
	case t.bits == 0:
		return bits <= 512
	case !t.signed:
		return constant.Sign(v) >= 0 && bits <= t.bits
	}
	return bits < t.bits || constant.Sign(v) < 0 && bits == t.bits && constant.Compare(v, token.EQL, constant.UnaryOp(token.SUB, constant.Shift(constant.MakeInt64(1), token.SHL, uint(t.bits-1)), 0))
}

func firstUnknown(values ...Value) *Unknown {
	for _, v := range values {
		if u, ok := v.(*Unknown); ok {
			return u
		}
	}
	return unknownf("an operation that is not understood")
}
