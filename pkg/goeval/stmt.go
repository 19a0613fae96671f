package goeval

import (
	"go/ast"
	"go/token"
)

// execBlock executes statements in a scope of their own.
func (p *Program) execBlock(env *scope, stmts []ast.Stmt) flow {
	return p.execList(newScope(env), stmts)
}

// execList executes statements in env.
func (p *Program) execList(env *scope, stmts []ast.Stmt) flow {
	for i, s := range stmts {
		f := p.exec(env, s)
		if f.ends() {
			return f
		}
		if why := f.maybeEnds(); why != nil {
			return p.afterFork(f, why, func() flow { return p.execList(env, stmts[i+1:]) })
		}
	}
	return flow{}
}

// afterFork goes on behind a statement that may have ended the list, and puts
// together what has changed either way.
func (p *Program) afterFork(f flow, why *Unknown, rest func() flow) flow {
	other := make([]exit, 0, len(f.exits))
	for _, e := range f.exits {
		if e.kind != goesOn {
			other = append(other, e)
		}
	}
	g, e := p.way(rest)
	if onlyPanics(g) && p.recovering == 0 {
		// All that goes on panics: the other way is the one.
		p.apply(f.alt)
		return flow{exits: other}
	}
	p.join(f.alt, e, why)
	return flow{exits: either(g.exits, other, why), why: why}
}

// exec executes a statement.
func (p *Program) exec(env *scope, s ast.Stmt) flow {
	p.step(s)
	p.nest(s)
	f := p.execNode(env, s)
	p.nodes--
	return f
}

func (p *Program) execNode(env *scope, s ast.Stmt) flow {
	switch s := s.(type) {
	case *ast.ExprStmt:
		p.eval(env, s.X)
	case *ast.AssignStmt:
		p.assign(env, s)
	case *ast.IncDecStmt:
		op := token.ADD
		if s.Tok == token.DEC {
			op = token.SUB
		}
		to := p.placeOf(env, s.X)
		p.storeAt(to, p.binary(op, p.valueAt(to), untypedInt(1), s), s.X)
	case *ast.DeclStmt:
		p.declare(env, s.Decl)
	case *ast.BlockStmt:
		return p.execBlock(env, s.List)
	case *ast.IfStmt:
		return p.execIf(env, s)
	case *ast.ForStmt:
		return p.execFor(env, s, "")
	case *ast.RangeStmt:
		return p.execRange(env, s, "", nil)
	case *ast.SwitchStmt:
		return p.execSwitch(env, s)
	case *ast.TypeSwitchStmt:
		return p.execTypeSwitch(env, s)
	case *ast.LabeledStmt:
		return p.execLabeled(env, s)
	case *ast.ReturnStmt:
		return end(token.RETURN, "", p.results(env, s))
	case *ast.BranchStmt:
		label := ""
		if s.Label != nil {
			label = s.Label.Name
		}
		if s.Tok == token.GOTO {
			panic(stopping{"goto at " + p.Fset.Position(s.Pos()).String() + " is not understood"})
		}
		return end(s.Tok, label, nil)
	case *ast.DeferStmt:
		p.postpone(env, s.Call)
	case *ast.GoStmt:
		p.concurrent(env, s.Call)
	case *ast.SendStmt, *ast.SelectStmt:
		panic(stopping{"a channel at " + p.Fset.Position(s.Pos()).String() + " is not understood"})
	case *ast.BadStmt:
		// Could not be parsed: it does nothing that is known. What the syntax
		// error hides is reported elsewhere.
	}
	return flow{}
}

// results returns the operands of a return statement.
func (p *Program) results(env *scope, s *ast.ReturnStmt) Value {
	switch len(s.Results) {
	case 0:
		return nil // what named results have
	case 1:
		return p.evalCopy(env, s.Results[0])
	}
	t := make(tuple, len(s.Results))
	for i, e := range s.Results {
		t[i] = p.evalCopy(env, e)
	}
	return t
}

// concurrent is a call that happens at some time or other, or never.
func (p *Program) concurrent(env *scope, call *ast.CallExpr) {
	why := unknownf("when a concurrent call happens")
	run := p.prepare(env, call)
	_, e := p.way(func() flow { run(); return flow{} })
	for c := range e.cells {
		p.expose(c, why)
	}
	for k := range e.entries {
		p.open(k.m, why)
	}
}
