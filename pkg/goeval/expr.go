package goeval

import (
	"bytes"
	"go/ast"
	"go/constant"
	"go/printer"
	"go/token"
	"math"
	"strconv"
)

// show returns the source text of an expression, shortened.
func (p *Program) show(expr ast.Expr) string {
	var b bytes.Buffer
	if _, ok := expr.(*ast.FuncLit); ok {
		return "a function"
	}
	printer.Fprint(&b, p.Fset, expr)
	if b.Len() > 60 {
		return b.String()[:57] + "..."
	}
	return b.String()
}

// eval evaluates an expression.
func (p *Program) eval(env *scope, expr ast.Expr) Value {
	p.step(expr)
	p.nest(expr)
	v := p.evalNode(env, expr)
	p.nodes--
	return v
}

func (p *Program) evalNode(env *scope, expr ast.Expr) Value {
	switch e := expr.(type) {
	case *ast.BasicLit:
		v := p.literals[e]
		if v == nil {
			v = literal(e)
			p.literals[e] = v
		}
		return v
	case *ast.ParenExpr:
		return p.eval(env, e.X)
	case *ast.Ident:
		return p.evalIdent(env, e)
	case *ast.SelectorExpr:
		v := p.selector(env, e)
		if fn, ok := v.(*Func); ok && fn.bound && fn.native == nil && !wantsPointer(fn) {
			// A method value has the receiver as it is now.
			fn.self = fn.receiver()
		}
		return v
	case *ast.CompositeLit:
		return p.composite(env, e, nil)
	case *ast.FuncLit:
		return &Func{Type: e.Type, Body: e.Body, env: env, pkg: env.pkg}
	case *ast.CallExpr:
		return p.evalCall(env, e)
	case *ast.UnaryExpr:
		return p.unary(env, e)
	case *ast.BinaryExpr:
		return p.evalBinary(env, e)
	case *ast.StarExpr:
		switch x := p.eval(env, e.X).(type) {
		case *Pointer:
			return x.To.Get()
		case typeValue:
			return typeValue{&Type{kind: kindPointer, elem: x.t}}
		case Nil:
			p.raise(e, "nil pointer dereference")
		case *Unknown:
			return x
		}
		return unknownf("%s", p.show(e))
	case *ast.IndexExpr:
		return p.index(env, e)
	case *ast.IndexListExpr:
		return p.eval(env, e.X) // the instance of a generic function
	case *ast.SliceExpr:
		return p.slice(env, e)
	case *ast.TypeAssertExpr:
		return mix(unknownf("a type assertion"), p.eval(env, e.X))
	case *ast.ArrayType, *ast.MapType, *ast.StructType, *ast.FuncType, *ast.InterfaceType, *ast.ChanType:
		return typeValue{p.typeOf(env, expr)}
	}
	return unknownf("%s", p.show(expr))
}

func literal(e *ast.BasicLit) Value {
	if e.Kind == token.STRING {
		text, err := strconv.Unquote(e.Value)
		if err != nil {
			return unknownf("the literal %s", e.Value)
		}
		return Text{S: text}
	}
	v := constant.MakeFromLiteral(e.Value, e.Kind, 0)
	switch v.Kind() {
	case constant.Unknown:
		return unknownf("the literal %s", e.Value)
	}
	return Number{V: v}
}

// builtins are the functions that the language declares.
var builtins = map[string]bool{
	"append": true, "cap": true, "clear": true, "copy": true, "delete": true, "len": true, "make": true,
	"max": true, "min": true, "new": true, "panic": true, "print": true, "println": true, "recover": true,
}

func (p *Program) evalIdent(env *scope, e *ast.Ident) Value {
	for s := env; s != nil; s = s.parent {
		if s.many == nil {
			if c := s.get(e.Name); c != nil {
				return c.Get()
			}
			continue
		}
		// What is declared outside of functions is the same whenever it is
		// asked for.
		c := p.static[e]
		if c == nil {
			if c = p.lookupCell(s, e.Name); c == nil {
				c = &Cell{val: predeclared(e.Name)}
			}
			if c.val != nil {
				p.static[e] = c
			}
		}
		return c.Get()
	}
	return predeclared(e.Name)
}

// predeclared is what the language declares.
func predeclared(name string) Value {
	switch {
	case name == "true" || name == "false":
		return boolValue(name == "true")
	case name == "nil":
		return Nil{}
	case builtins[name]:
		return builtinName(name)
	case basicTypes[name] != nil:
		return typeValue{basicTypes[name]}
	}
	return unknownf("%s is declared nowhere that is at hand", name)
}

// lookup returns what a name stands for in env. Names that the language
// declares are not in it, types apart.
func (p *Program) lookup(env *scope, name string) (Value, bool) {
	if c := p.lookupCell(env, name); c != nil {
		return c.Get(), true
	}
	if t := basicTypes[name]; t != nil {
		return typeValue{t}, true
	}
	return nil, false
}

func (p *Program) lookupCell(env *scope, name string) *Cell {
	for s := env; s != nil; s = s.parent {
		if c := s.get(name); c != nil {
			return c
		}
		if s.parent == nil && s.pkg != nil {
			return p.packageName(s.pkg, name)
		}
	}
	return nil
}

// packageName returns what a name of a package's top level stands for, which
// is evaluated if it was not yet; nil if there is no such name.
func (p *Program) packageName(pkg *Package, name string) *Cell {
	if c := pkg.scope.get(name); c != nil {
		if c.val == nil {
			return &Cell{val: unknownf("%s depends on itself", name)}
		}
		return c
	}
	d, ok := pkg.decls[name]
	if !ok {
		return nil
	}
	// What a variable starts as does not depend on who asks first.
	journals := p.journals
	p.journals = nil
	defer func() { p.journals = journals }()
	switch {
	case d.fn != nil:
		return pkg.scope.define(name, &Cell{val: &Func{Name: name, Type: d.fn.Type, Body: d.fn.Body, env: d.file, pkg: pkg}})
	case d.value == nil && d.konst:
		return pkg.scope.define(name, &Cell{val: unknownf("the constant %s has no value", name)})
	}
	if spec, ok := d.spec.(*ast.TypeSpec); ok {
		if t := pkg.types[name]; t != nil {
			return &Cell{val: typeValue{t}} // it is being made
		}
		c := &Cell{}
		t := &Type{name: name, pkg: pkg}
		pkg.types[name] = t
		c.val = typeValue{t}
		pkg.scope.define(name, c)
		t.base = p.typeOf(d.file, spec.Type)
		return c
	}
	spec := d.spec.(*ast.ValueSpec)
	env := d.file
	if d.konst {
		spec, env = d.value, newScope(d.file)
		env.define("iota", &Cell{val: untypedInt(d.iota)})
	}
	// While they are evaluated they are there, without a value.
	own := make([]*Cell, len(d.names))
	for i, n := range d.names {
		own[i] = pkg.scope.define(n.Name, &Cell{})
	}
	defer func() {
		for _, c := range own { // after a panic
			if c.val == nil {
				c.val = unknownf("its initialization panics")
			}
		}
	}()
	for i, c := range p.initial(env, d.names, spec, d.konst) {
		own[i].val, own[i].Node = c.Get(), c.Node
	}
	return pkg.scope.get(name)
}

// member returns what a package exports under a name.
func (p *Program) member(pkg *Package, name string) (Value, bool) {
	p.load(pkg)
	if !pkg.loaded {
		return nil, false
	}
	c := p.packageName(pkg, name)
	if c == nil {
		return nil, false
	}
	return c.Get(), true
}

func (p *Program) selector(env *scope, e *ast.SelectorExpr) Value {
	v, _, _ := p.selected(env, e)
	return v
}

// selected returns what e denotes, and what it is selected from: the value, and
// the variable if that is known.
func (p *Program) selected(env *scope, e *ast.SelectorExpr) (v, x Value, c *Cell) {
	if v := p.members[e]; v != nil {
		return v, nil, nil
	}
	if c = p.simpleCell(env, e.X); c != nil {
		p.step(e.X)
		x = c.Get()
	} else {
		x = p.eval(env, e.X)
	}
	pkg, ok := x.(pkgValue)
	if !ok {
		v = p.selectFrom(x, e)
		_, isStruct := x.(*Struct)
		if fn, ok := v.(*Func); ok && isStruct && fn.bound && c != nil && fn.self == x && wantsPointer(fn) {
			fn.self = &Pointer{c}
		}
		return v, x, c
	}
	return p.exported(pkg, e), x, nil
}

// simpleCell returns the variable that an expression without effects denotes,
// if it is one that methods may be called on.
func (p *Program) simpleCell(env *scope, expr ast.Expr) *Cell {
	switch e := expr.(type) {
	case *ast.Ident:
		for s := env; s != nil && s.many == nil; s = s.parent {
			if c := s.get(e.Name); c != nil {
				return c
			}
		}
		p.evalIdent(env, e)
		return p.static[e]
	case *ast.ParenExpr:
		return p.simpleCell(env, e.X)
	case *ast.SelectorExpr, *ast.IndexExpr, *ast.StarExpr:
		if !addressable(expr) {
			return nil
		}
		c, _ := p.cellIn(env, expr)
		return c
	}
	return nil
}

// addressable reports whether an expression may denote a variable, and
// evaluating it has no effect.
func addressable(expr ast.Expr) bool {
	switch e := expr.(type) {
	case *ast.Ident:
		return true
	case *ast.ParenExpr:
		return addressable(e.X)
	case *ast.SelectorExpr:
		return addressable(e.X)
	case *ast.StarExpr:
		return addressable(e.X)
	case *ast.IndexExpr:
		switch e.Index.(type) {
		case *ast.Ident, *ast.BasicLit:
			return addressable(e.X)
		}
	}
	return false
}

// exported returns what a package has under a name.
func (p *Program) exported(pkg pkgValue, e *ast.SelectorExpr) Value {
	v, ok := p.member(pkg.pkg, e.Sel.Name)
	if !ok {
		v = standard(pkg.pkg.Path, e.Sel.Name)
	}
	switch v.(type) {
	case nil:
		return unknownf("%s.%s, which is not at hand", pkg.pkg.Path, e.Sel.Name)
	case *Func, typeValue:
		if d := pkg.pkg.decls[e.Sel.Name]; d.fn != nil || d.spec == nil || isTypeSpec(d) {
			p.members[e] = v // nothing can be assigned to it
		}
	}
	return v
}

func isTypeSpec(d decl) bool { _, ok := d.spec.(*ast.TypeSpec); return ok }

// selectFrom returns a field or a bound method of x.
func (p *Program) selectFrom(x Value, e *ast.SelectorExpr) Value {
	name := e.Sel.Name
	switch v := x.(type) {
	case *Unknown:
		return v
	case Nil:
		return unknownf("%s of nil", p.show(e))
	case typeValue: // a method expression
		if fn := v.t.method(name); fn != nil {
			return fn
		}
		return unknownf("%s", p.show(e))
	case *Pointer:
		if s, ok := v.To.Get().(*Struct); ok {
			return s.member(name, v)
		}
		if u, ok := v.To.Get().(*Unknown); ok {
			return u
		}
	case *Struct:
		return v.member(name, v)
	case Text, Truth, Number:
		if fn := basicType(v).method(name); fn != nil {
			return fn.bind(v)
		}
	}
	return unknownf("%s", p.show(e))
}

// maxEmbedding bounds how deep embedded structs are looked into: in what is
// not valid Go they may go round in a circle.
const maxEmbedding = 20

// find returns a field of s, or of what is embedded in it, or nil.
func (s *Struct) find(name string) *Cell {
	if c := s.fields[name]; c != nil {
		return c
	}
	c, _ := s.lookup(name, nil)
	return c
}

// member returns a field or a bound method of s, or of what is embedded in it;
// self is s or the pointer to it.
func (s *Struct) member(name string, self Value) Value {
	c, fn := s.fields[name], (*Func)(nil)
	if c == nil {
		c, fn = s.lookup(name, self)
	}
	switch {
	case c != nil:
		return c.Get()
	case fn != nil:
		return fn
	}
	return mix(unknownf("%s in %s", name, s.Type.Name()), self)
}

// lookup looks for a name in s, and then, level by level, in what is embedded;
// what is there twice, or behind something that is not at hand, is not found.
func (s *Struct) lookup(name string, self Value) (c *Cell, fn *Func) {
	type part struct {
		s    *Struct
		self Value
		typ  *Type
	}
	level := []part{{s, self, s.Type}}
	for depth := 0; depth < maxEmbedding && len(level) > 0 && len(level) < 1000; depth++ {
		found := 0
		var next []part
		for _, x := range level {
			if m := x.typ.method(name); m != nil {
				fn = m.bind(x.self)
				found++
				continue
			}
			if x.s == nil || x.s.Type == nil || x.s.Type.under().fields == nil {
				return nil, nil
			}
			if has, _ := x.s.HasField(name); has {
				c = x.s.Field(name)
				found++
				continue
			}
			for _, f := range x.s.Type.under().fields {
				if f.embedded {
					in := part{typ: f.typ, self: &Pointer{x.s.Field(f.name)}}
					v := x.s.Field(f.name).Get()
					if ptr, ok := v.(*Pointer); ok {
						in.self, v = ptr, ptr.To.Get()
					}
					in.s, _ = v.(*Struct)
					next = append(next, in)
				}
			}
		}
		if found > 0 {
			if found > 1 {
				return nil, nil
			}
			return c, fn
		}
		level = next
	}
	return nil, nil
}

// method returns a method of t, not bound, or nil.
func (t *Type) method(name string) *Func {
	for i := 0; t != nil && t.kind == kindPointer && t.base == nil && i < 10; i++ {
		t = t.elem
	}
	if t == nil || t.pkg == nil {
		return nil
	}
	d := t.pkg.methods[t.name][name]
	if d == nil {
		return nil
	}
	return &Func{Name: t.name + "." + name, Type: d.Type, Body: d.Body, recv: d.Recv, env: t.pkg.decls[t.name+"."+name].file, pkg: t.pkg}
}

func (f *Func) bind(self Value) *Func {
	f.self, f.bound = self, true
	return f
}

// cellIn returns the variable that an expression denotes; nil if that is not
// known, and then what it may lie in.
func (p *Program) cellIn(env *scope, expr ast.Expr) (c *Cell, in Value) {
	switch e := ast.Unparen(expr).(type) {
	case *ast.Ident:
		return p.lookupCell(env, e.Name), nil
	case *ast.StarExpr:
		x := p.eval(env, e.X)
		if ptr, ok := x.(*Pointer); ok {
			return ptr.To, nil
		}
		return nil, x
	case *ast.SelectorExpr:
		x := p.eval(env, e.X)
		if pkg, ok := x.(pkgValue); ok {
			p.load(pkg.pkg)
			return p.packageName(pkg.pkg, e.Sel.Name), nil
		}
		from := x
		if ptr, ok := x.(*Pointer); ok {
			x = ptr.To.Get()
		}
		if s, ok := x.(*Struct); ok {
			if c := s.find(e.Sel.Name); c != nil {
				return c, nil
			}
			if s.Type == nil { // of a type that is not at hand
				return s.Field(e.Sel.Name), nil
			}
		}
		return nil, from
	case *ast.IndexExpr:
		x := p.eval(env, e.X)
		return p.elementOf(env, x, e), x
	}
	return nil, nil
}

// elementOf returns the element of x, a slice or an array, that e denotes, or
// nil if that is not known.
func (p *Program) elementOf(env *scope, x Value, e *ast.IndexExpr) *Cell {
	i, known := Int(p.eval(env, e.Index))
	if ptr, ok := x.(*Pointer); ok {
		x = ptr.To.Get() // to an array
	}
	s, ok := x.(*Slice)
	switch {
	case !ok || !known:
	case s.Open == nil && (i < 0 || i >= int64(len(s.Elems))):
		p.raise(e, "index out of range")
	case i >= 0 && i < int64(len(s.Elems)) && (s.Open == nil || i < int64(s.sure)):
		return s.Elems[i]
	}
	return nil
}

// raise panics as the program would.
func (p *Program) raise(at ast.Node, message string) {
	calls := append([]*ast.CallExpr{}, p.calls...)
	panic(panicking{Panic{at, calls, message}})
}

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

func (p *Program) index(env *scope, e *ast.IndexExpr) Value {
	x := p.eval(env, e.X)
	switch v := x.(type) {
	case *Map:
		found, _ := p.mapIndex(v, p.eval(env, e.Index))
		return found
	case *Slice:
		i, ok := Int(p.eval(env, e.Index))
		switch {
		case !ok:
			return mix(unknownf("%s", p.show(e)), v)
		case v.Open == nil && (i < 0 || i >= int64(len(v.Elems))):
			p.raise(e, "index out of range")
		case i >= 0 && i < int64(len(v.Elems)) && (v.Open == nil || i < int64(v.sure)):
			return v.Elems[i].Get()
		}
		return mix(firstUnknown(v.Open), v)
	case *Pointer:
		if c := p.elementOf(env, v, e); c != nil {
			return c.Get()
		}
		return mix(unknownf("%s", p.show(e)), v)
	case Text:
		if i, ok := Int(p.eval(env, e.Index)); ok {
			if i < 0 || i >= int64(len(v.S)) {
				p.raise(e, "index out of range")
			}
			return Number{constant.MakeInt64(int64(v.S[i])), byteType}
		}
	case *Func, typeValue:
		return v // an instance
	case *Unknown:
		return v
	case Nil:
		switch u := v.Type.under(); u.kind {
		case kindMap:
			p.eval(env, e.Index)
			return u.elem.zero()
		case kindSlice:
			p.raise(e, "index out of range")
		}
		return unknownf("%s of nil", p.show(e))
	}
	return unknownf("%s", p.show(e))
}

// mapIndex returns m[key], and whether it is there.
func (p *Program) mapIndex(m *Map, key Value) (v, found Value) {
	k := m.keyOf(key)
	if k.kind == 0 {
		u := mix(firstUnknown(key), m)
		return u, u
	}
	e := m.entries[k]
	switch {
	case m.Open != nil:
		u := mix(m.Open, m)
		return u, u
	case e == nil:
		if m.Type == nil {
			return unknownf("the zero value of a map whose type is not at hand"), boolValue(false)
		}
		return m.Type.under().elem.zero(), boolValue(false)
	case e.Maybe != nil:
		u := mix(e.Maybe, m)
		return u, u
	}
	return e.Cell.Get(), boolValue(true)
}

func (p *Program) slice(env *scope, e *ast.SliceExpr) Value {
	x := p.eval(env, e.X)
	bound := func(expr ast.Expr, otherwise int) (int, bool) {
		if expr == nil {
			return otherwise, true
		}
		n, ok := Int(p.eval(env, expr))
		return int(n), ok
	}
	length := 0
	text, isText := String(x)
	s, isSlice := x.(*Slice)
	switch {
	case isText:
		length = len(text)
	case isSlice && s.Open == nil:
		length = len(s.Elems)
	default:
		return mix(firstUnknown(x), x)
	}
	low, ok1 := bound(e.Low, 0)
	high, ok2 := bound(e.High, length)
	switch {
	case !ok1 || !ok2:
		return mix(unknownf("%s", p.show(e)), x)
	case low < 0 || high < low || high > length:
		p.raise(e, "slice bounds out of range")
	}
	if isText {
		return Text{text[low:high], x.(Text).Type}
	}
	typ := s.Type
	if under := typ.under(); under.kind == kindArray {
		typ = &Type{kind: kindSlice, elem: under.elem}
	}
	out := &Slice{Type: typ, Elems: s.Elems[low:high:high], held: true}
	if e.Max == nil {
		out.roomy = s.roomy || high < length
		out.behind = append(append(out.behind, s.Elems[high:]...), s.behind...)
	} else {
		p.eval(env, e.Max)
		out.roomy = true
		out.behind = append(append(out.behind, s.Elems[high:]...), s.behind...)
	}
	s.held = true
	if s.roomy && high == length {
		if s.tail == nil {
			s.tail = &tail{}
		}
		out.tail = s.tail
	}
	return out
}

// composite evaluates a composite literal; typ is its type where the literal
// leaves it out.
func (p *Program) composite(env *scope, lit *ast.CompositeLit, typ *Type) Value {
	if lit.Type != nil {
		typ = p.typeOf(env, lit.Type)
	}
	under := typ.under()
	switch under.kind {
	case kindPointer: // elided &T
		if lit.Type == nil && under.elem.under().kind != kindPointer {
			return &Pointer{&Cell{p.composite(env, lit, under.elem), lit}}
		}
	case kindStruct:
		return p.structLit(env, lit, typ)
	case kindSlice, kindArray:
		return p.sliceLit(env, lit, typ)
	case kindMap:
		return p.mapLit(env, lit, typ)
	}
	return p.unknownLit(env, lit)
}

// unknownLit is a literal whose type is not at hand: with names as keys it is
// a struct that has these fields at least.
func (p *Program) unknownLit(env *scope, lit *ast.CompositeLit) Value {
	for _, e := range lit.Elts {
		kv, ok := e.(*ast.KeyValueExpr)
		if !ok {
			return unknownf("a literal of a type that is not at hand")
		}
		if _, ok := kv.Key.(*ast.Ident); !ok {
			return unknownf("a literal of a type that is not at hand")
		}
	}
	return p.structLit(env, lit, nil)
}

func (p *Program) structLit(env *scope, lit *ast.CompositeLit, typ *Type) Value {
	s := &Struct{Type: typ, Lit: lit, Calls: append([]*ast.CallExpr{}, p.calls...), fields: map[string]*Cell{}, Written: map[string]*Cell{}}
	var known []field
	if typ != nil {
		known = typ.under().fields
	}
	for i, e := range lit.Elts {
		name, value := "", e
		var want *Type
		if kv, ok := e.(*ast.KeyValueExpr); ok {
			if id, ok := kv.Key.(*ast.Ident); ok {
				name = id.Name
			}
			value = kv.Value
			for _, f := range known {
				if f.name == name {
					want = f.typ
				}
			}
		} else if i < len(known) {
			name, want = known[i].name, known[i].typ
		}
		v := p.element(env, value, want)
		s.fields[name] = &Cell{v, value}
		s.Written[name] = &Cell{copyOf(v), value}
	}
	return s
}

// element evaluates an element of a composite literal. In that of a variable
// of the main package a panic costs the element only, so that one mistake does
// not hide the others.
func (p *Program) element(env *scope, expr ast.Expr, typ *Type) (v Value) {
	if !p.topLevel || len(p.journals) > 0 || len(p.calls) > 0 {
		return p.evalElement(env, expr, typ)
	}
	v = unknownf("its evaluation panics")
	p.attempt(func() { v = p.evalElement(env, expr, typ) })
	return v
}

func (p *Program) evalElement(env *scope, expr ast.Expr, typ *Type) Value {
	if lit, ok := expr.(*ast.CompositeLit); ok && lit.Type == nil {
		p.step(lit)
		p.nest(lit)
		v := p.composite(env, lit, typ)
		p.nodes--
		return v
	}
	return convertTo(copyOf(p.eval(env, expr)), typ)
}

// convertTo gives an untyped constant the type of where it goes.
func convertTo(v Value, typ *Type) Value {
	if typ == nil {
		return v
	}
	switch typ.under().kind {
	case kindBool, kindInt, kindFloat, kindString:
	case kindInterface:
		if n, ok := v.(Nil); ok {
			if n.Type != nil && n.Type.under().kind != kindInterface {
				return unknownf("an interface that holds nil")
			}
			return Nil{typ}
		}
		return withDefault(v)
	case kindUnknown:
		return vague(v)
	default:
		if n, ok := v.(Nil); ok && n.Type == nil {
			return Nil{typ}
		}
		return v
	}
	switch b := v.(type) {
	case Text:
		if b.Type == nil {
			return Text{b.S, typ}
		}
	case Truth:
		if b.Type == nil {
			return Truth{b.B, typ}
		}
	case Number:
		if b.Type == nil {
			return number(b.V, typ)
		}
	}
	return v
}

// vague gives an untyped constant some type that is not known.
func vague(v Value) Value {
	switch b := v.(type) {
	case Text:
		if b.Type == nil {
			return Text{b.S, unknownType}
		}
	case Truth:
		if b.Type == nil {
			return Truth{b.B, unknownType}
		}
	case Number:
		if b.Type == nil {
			return Number{b.V, unknownType}
		}
	}
	return v
}

// withDefault gives an untyped constant the type that a variable of it has.
func withDefault(v Value) Value {
	switch b := v.(type) {
	case Text:
		if b.Type == nil {
			return Text{b.S, stringType}
		}
	case Truth:
		if b.Type == nil {
			return Truth{b.B, basicTypes["bool"]}
		}
	case Number:
		switch {
		case b.Type != nil:
		case b.V.Kind() == constant.Int:
			return number(b.V, intType)
		default:
			return number(b.V, basicTypes["float64"])
		}
	}
	return v
}

// basicType returns the type of a string, bool or number; nil if it is an
// untyped constant, or something else.
func basicType(v Value) *Type {
	switch v := v.(type) {
	case Text:
		return v.Type
	case Truth:
		return v.Type
	case Number:
		return v.Type
	}
	return nil
}

func (p *Program) sliceLit(env *scope, lit *ast.CompositeLit, typ *Type) Value {
	s := &Slice{Type: typ}
	elem := typ.under().elem
	at := 0
	for _, e := range lit.Elts {
		value := e
		if kv, ok := e.(*ast.KeyValueExpr); ok {
			value = kv.Value
			n, ok := Int(p.eval(env, kv.Key))
			if !ok || n < 0 || n >= maxArray {
				return unknownf("an index in a literal")
			}
			at = int(n)
		}
		for len(s.Elems) <= at {
			s.Elems = append(s.Elems, &Cell{val: elem.zero()})
		}
		s.Elems[at] = &Cell{p.element(env, value, elem), value}
		at++
	}
	if typ.under().kind == kindArray {
		for len(s.Elems) < typ.under().length {
			s.Elems = append(s.Elems, &Cell{val: elem.zero()})
		}
	}
	return s
}

func (p *Program) mapLit(env *scope, lit *ast.CompositeLit, typ *Type) Value {
	m := &Map{Type: typ, entries: make(map[mapKey]*Entry, len(lit.Elts))}
	under := typ.under()
	for _, e := range lit.Elts {
		kv, ok := e.(*ast.KeyValueExpr)
		if !ok {
			continue
		}
		key := p.element(env, kv.Key, under.key)
		v := p.element(env, kv.Value, under.elem)
		k := m.keyOf(key)
		if k.kind == 0 {
			m.Open = firstUnknown(key)
			continue
		}
		m.put(k, &Entry{Key: key, Node: kv.Key, Cell: &Cell{v, kv.Value}})
	}
	return m
}
