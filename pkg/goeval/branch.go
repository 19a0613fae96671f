package goeval

import (
	"go/ast"
	"go/token"
)

func (p *Program) execIf(env *scope, s *ast.IfStmt) flow {
	if s.Init != nil {
		env = newScope(env)
		p.exec(env, s.Init)
	}
	otherwise := func() flow {
		if s.Else == nil {
			return flow{}
		}
		return p.exec(env, s.Else)
	}
	cond := p.eval(env, s.Cond)
	if yes, ok := Bool(cond); ok {
		if yes {
			return p.execBlock(env, s.Body.List)
		}
		return otherwise()
	}
	return p.fork(p.reason(cond, s.Cond), func() flow { return p.execBlock(env, s.Body.List) }, otherwise)
}

// reason says what an unknown condition hangs on.
func (p *Program) reason(cond Value, expr ast.Expr) *Unknown {
	if u, ok := cond.(*Unknown); ok {
		return u
	}
	return unknownf("%s", p.show(expr))
}

func (p *Program) execLabeled(env *scope, s *ast.LabeledStmt) flow {
	switch inner := s.Stmt.(type) {
	case *ast.ForStmt:
		return p.execFor(env, inner, s.Label.Name)
	case *ast.RangeStmt:
		return p.execRange(env, inner, s.Label.Name, nil)
	}
	return p.leave(p.exec(env, s.Stmt), s.Label.Name)
}

// leave returns the flow behind a loop or switch with this label, from that of
// its body: a break ends there.
func (p *Program) leave(f flow, label string) flow { return p.settle(f, token.BREAK, label) }

// settle turns exits of this kind and label into the next statement.
func (p *Program) settle(f flow, kind token.Token, label string) flow {
	changed := false
	for i, e := range f.exits {
		if ends(e, kind, label) {
			f.exits[i] = exit{kind: goesOn}
			changed = true
		}
	}
	if !changed {
		return f
	}
	if f.why == nil {
		f.why = unknownf("where a loop or a switch is left")
	}
	if len(f.alt.cells)+len(f.alt.entries) > 0 {
		p.join(f.alt, effect{}, f.why) // some of the ways that left go on now
		f.alt = effect{}
	}
	f.exits = either(f.exits, f.exits, f.why)
	return f
}

func ends(e exit, kind token.Token, label string) bool {
	return e.kind == kind && (e.label == "" || e.label == label)
}

func (p *Program) execSwitch(env *scope, s *ast.SwitchStmt) flow {
	if s.Init != nil {
		env = newScope(env)
		p.exec(env, s.Init)
	}
	tag := yes
	if s.Tag != nil {
		tag = p.eval(env, s.Tag)
	}
	clauses := make([]*ast.CaseClause, 0, len(s.Body.List))
	for _, c := range s.Body.List {
		if c, ok := c.(*ast.CaseClause); ok {
			clauses = append(clauses, c)
		}
	}
	return p.leave(p.execCases(env, tag, clauses, 0), "")
}

// execCases executes the clause that tag selects, from the i-th on.
func (p *Program) execCases(env *scope, tag Value, clauses []*ast.CaseClause, i int) flow {
	for ; i < len(clauses); i++ {
		for _, e := range clauses[i].List {
			cond := p.eval(env, e)
			eq, known := equal(tag, cond)
			switch {
			case known && eq:
				return p.execClause(env, clauses, i)
			case known:
				continue
			}
			why := p.reason(tag, e)
			if isKnown(tag) {
				why = p.reason(cond, e)
			}
			taken, next := i, i+1
			return p.fork(why,
				func() flow { return p.execClause(env, clauses, taken) },
				func() flow { return p.execCases(env, tag, clauses, next) })
		}
	}
	for i, c := range clauses {
		if c.List == nil {
			return p.execClause(env, clauses, i)
		}
	}
	return flow{}
}

func (p *Program) execClause(env *scope, clauses []*ast.CaseClause, i int) flow {
	f := p.settle(p.execBlock(env, clauses[i].Body), token.FALLTHROUGH, "")
	body := clauses[i].Body
	if n := len(body); n == 0 || !isFallthrough(body[n-1]) || i+1 >= len(clauses) || f.ends() {
		return f
	}
	if why := f.maybeEnds(); why != nil {
		return p.afterFork(f, why, func() flow { return p.execClause(env, clauses, i+1) })
	}
	return p.execClause(env, clauses, i+1)
}

func isFallthrough(s ast.Stmt) bool {
	b, ok := s.(*ast.BranchStmt)
	return ok && b.Tok == token.FALLTHROUGH
}

func (p *Program) execTypeSwitch(env *scope, s *ast.TypeSwitchStmt) flow {
	why := unknownf("a type switch")
	env = newScope(env)
	if s.Init != nil {
		p.exec(env, s.Init)
	}
	switch a := s.Assign.(type) {
	case *ast.AssignStmt:
		if x, ok := a.Rhs[0].(*ast.TypeAssertExpr); ok {
			why = mix(why, p.eval(env, x.X))
		}
	case *ast.ExprStmt:
		if x, ok := a.X.(*ast.TypeAssertExpr); ok {
			p.eval(env, x.X)
		}
	}
	run := func() flow { return flow{} }
	for _, c := range s.Body.List {
		c, ok := c.(*ast.CaseClause)
		if !ok {
			continue
		}
		before := run
		run = func() flow {
			return p.fork(why, func() flow {
				in := newScope(env)
				if a, ok := s.Assign.(*ast.AssignStmt); ok && len(a.Lhs) == 1 {
					if name, ok := a.Lhs[0].(*ast.Ident); ok {
						in.define(name.Name, &Cell{val: why})
					}
				}
				return p.execBlock(in, c.Body)
			}, before)
		}
	}
	return p.leave(run(), "")
}
