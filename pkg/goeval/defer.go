package goeval

import (
	"go/ast"
	"slices"
)

// deferred is a call at the end of a function.
type deferred struct {
	run     func()
	certain bool
}

// defers says whether a function defers calls, and whether these may recover.
type defers struct{ any, recovers bool }

// defersOf returns what is known of the body of a function.
func (p *Program) defersOf(body *ast.BlockStmt) defers {
	d, ok := p.defers[body]
	if ok {
		return d
	}
	ast.Inspect(body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			return false
		case *ast.DeferStmt:
			d.any = true
			lit, isLit := n.Call.Fun.(*ast.FuncLit)
			if !isLit { // it may recover as well, if it is not of another package
				_, isSel := n.Call.Fun.(*ast.SelectorExpr)
				d.recovers = d.recovers || !isSel
				return true
			}
			ast.Inspect(lit, func(n ast.Node) bool {
				id, ok := n.(*ast.Ident)
				d.recovers = d.recovers || ok && id.Name == "recover"
				return true
			})
		}
		return true
	})
	p.defers[body] = d
	return d
}

// prepare evaluates what is called and its arguments, and returns the call.
func (p *Program) prepare(env *scope, call *ast.CallExpr) func() {
	if _, ok := call.Fun.(*ast.FuncLit); ok && len(call.Args) == 0 {
		return func() { p.eval(env, call) }
	}
	fn := p.eval(env, call.Fun)
	if f, ok := fn.(*Func); ok {
		if args := p.args(env, call, f); args != nil {
			return func() { p.call(f, args, call) }
		}
	}
	for _, arg := range call.Args {
		p.exposed(p.eval(env, arg), p.reason(fn, call.Fun), true)
	}
	return func() { p.eval(env, call) }
}

// postpone is a deferred call.
func (p *Program) postpone(env *scope, call *ast.CallExpr) {
	p.deferred = append(p.deferred, deferred{p.prepare(env, call), len(p.journals) == p.frame})
}

// deferring executes the body of a function that defers calls, and then these.
func (p *Program) deferring(env *scope, f *Func, named []*Cell, recovers bool) (v Value) {
	frame, base, calls, nodes := p.frame, len(p.deferred), len(p.calls), p.nodes
	p.frame = len(p.journals)
	if recovers {
		p.recovering++
	}
	var failed any
	func() {
		defer func() {
			if failed = recover(); failed != nil {
				if _, ok := failed.(panicking); !ok {
					panic(failed)
				}
				p.calls, p.nodes = p.calls[:calls], nodes
			}
		}()
		out := p.execBlock(env, f.Body.List)
		if recovers && out.has(panics) && len(out.exits) > 1 {
			out.exits = slices.DeleteFunc(out.exits, func(e exit) bool { return e.kind == panics })
			why := unknownf("whether a function recovers from a panic")
			v = merge(p.result(out, named, f), nil, why)
			for _, c := range named {
				p.assignTo(c, mix(why, c.val))
			}
			if len(named) > 0 {
				v = cellValues(named)
			}
			return
		}
		v = p.result(out, named, f)
	}()
	if len(named) > 0 && v != nil {
		values, ok := v.(tuple)
		if !ok {
			values = tuple{v}
		}
		for i, c := range named {
			if i < len(values) {
				p.assignTo(c, values[i])
			}
		}
	}
	list := append([]deferred{}, p.deferred[base:]...)
	p.deferred = p.deferred[:base]
	for _, d := range slices.Backward(list) {
		if d.certain && failed == nil {
			d.run()
			continue
		}
		why := unknownf("whether a deferred call happens")
		p.fork(why, func() flow { d.run(); return flow{} }, func() flow { return flow{} })
	}
	if recovers {
		p.recovering--
	}
	p.frame = frame
	switch {
	case failed != nil && !recovers:
		panic(failed)
	case len(named) > 0:
		return cellValues(named)
	case failed != nil:
		why := Value(unknownf("what a function returns that recovers"))
		if f.Type.Results != nil && len(f.Type.Results.List) > 1 {
			t := make(tuple, len(f.Type.Results.List))
			for i := range t {
				t[i] = why
			}
			return t
		}
		return why
	}
	return v
}
