package goeval

import (
	"bytes"
	"go/ast"
	"go/printer"
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

// raise panics as the program would.
func (p *Program) raise(at ast.Node, message string) {
	calls := append([]*ast.CallExpr{}, p.calls...)
	panic(panicking{Panic{at, calls, message}})
}
