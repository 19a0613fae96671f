package star

import (
	"go.starlark.net/syntax"
)

// outcome is how a list of statements ended.
type outcome int

const (
	ended outcome = iota
	returned
	broken    // by break
	continued // by continue
)

// run executes the statements of a function.
func (e *evaluator) run(stmts []syntax.Stmt, sc *scope) (*value, outcome) {
	defer e.enter()()
	for _, stmt := range stmts {
		switch s := stmt.(type) {
		case *syntax.AssignStmt:
			e.assignment(s, sc)
		case *syntax.ExprStmt:
			if _, doc := s.X.(*syntax.Literal); !doc {
				e.eval(s.X, sc)
			}
		case *syntax.ReturnStmt:
			if s.Result == nil {
				return noneValue(), returned
			}
			return e.eval(s.Result, sc), returned
		case *syntax.BranchStmt:
			switch s.Token {
			case syntax.BREAK:
				return nil, broken
			case syntax.CONTINUE:
				return nil, continued
			}
		case *syntax.IfStmt:
			body := s.False
			if e.condition(s.Cond, sc) {
				body = s.True
			}
			if ret, how := e.run(body, sc); how != ended {
				return ret, how
			}
		case *syntax.ForStmt:
			elems, known := elements(e.eval(s.X, sc))
			if !known {
				panic(unsure{})
			}
			e.spend(len(elems))
			for _, elem := range elems {
				e.assign(s.Vars, elem, sc)
				ret, how := e.run(s.Body, sc)
				if how == returned {
					return ret, how
				}
				if how == broken {
					break
				}
			}
		case *syntax.DefStmt:
			sc.names[s.Name.Name] = anything // it may use the names around it
		default:
			panic(unsure{})
		}
	}
	return nil, ended
}

// assignment executes =, += and the like. Without a scope it is one of the
// file's top level.
func (e *evaluator) assignment(s *syntax.AssignStmt, sc *scope) {
	val := e.eval(s.RHS, sc)
	switch s.Op {
	case syntax.EQ:
		e.assign(s.LHS, val, sc)
	case syntax.PLUS_EQ:
		old := e.eval(s.LHS, sc)
		if old.kind != list {
			e.assign(s.LHS, add(old, val), sc)
			return
		}
		e.mutable(old) // in place: others that have the list see it
		elems, known := elements(val)
		old.elems, old.open = append(old.elems, elems...), old.open || !known
		e.keep(old)
	default:
		e.assign(s.LHS, anything, sc)
	}
}

// assign gives a value to a name, to several, or to a place in a dict.
func (e *evaluator) assign(to syntax.Expr, val *value, sc *scope) {
	switch to := to.(type) {
	case *syntax.Ident:
		if sc != nil {
			sc.names[to.Name] = val
			return
		}
		e.global(to.Name, val)
	case *syntax.ParenExpr:
		e.assign(to.X, val, sc)
	case *syntax.TupleExpr:
		e.unpack(to.List, val, sc)
	case *syntax.ListExpr:
		e.unpack(to.List, val, sc)
	case *syntax.IndexExpr:
		on, key := e.eval(to.X, sc), e.eval(to.Y, sc)
		e.mutable(on)
		if on.kind != dict {
			e.forget(on)
			return
		}
		e.spend(len(on.items))
		on.set(key, val, to)
		e.keep(on)
	}
}

func (e *evaluator) unpack(to []syntax.Expr, val *value, sc *scope) {
	if val.kind == list && !val.open {
		if len(val.elems) != len(to) {
			fail("%d values for %d names", len(val.elems), len(to))
		}
		for i := range to {
			e.assign(to[i], val.elems[i], sc)
		}
		return
	}
	for i := range to {
		e.assign(to[i], anything, sc)
	}
}

// global gives a value to a name of the file.
func (e *evaluator) global(name string, val *value) {
	if e.globals[name] != nil || val == anything {
		e.globals[name] = &value{} // lucicfg refuses a second one
		return
	}
	if e.mutated[name] {
		if val.kind == list || val.kind == dict {
			val.open = true
		} else if val.kind != text && val.kind != number {
			val = &value{}
		}
	}
	e.globals[name] = val
}

// load executes the file's top level: assignments, and calls of methods that
// change a table. Other calls are about LUCI.
func (e *evaluator) load() {
	for _, stmt := range e.stmts {
		if def, ok := stmt.(*syntax.DefStmt); ok {
			e.globals[def.Name.Name] = &value{kind: function, def: def}
		}
	}
	for _, stmt := range e.stmts {
		switch s := stmt.(type) {
		case *syntax.DefStmt:
		case *syntax.AssignStmt:
			done := false
			e.try(func() *value { e.assignment(s, nil); done = true; return nil })
			if !done {
				e.lose(s)
			}
		case *syntax.ExprStmt:
			call, ok := s.X.(*syntax.CallExpr)
			if !ok {
				continue
			}
			if dot, ok := call.Fn.(*syntax.DotExpr); ok && mutators[dot.Name.Name] {
				done := false
				e.try(func() *value { e.eval(call, nil); done = true; return nil })
				if !done {
					e.lose(s)
				}
			}
		default:
			e.lose(s)
		}
	}
	e.frozen, e.shared = true, map[*value]bool{}
	for _, v := range e.globals {
		e.share(v, 0)
	}
}

// share notes that a value belongs to the loaded file.
func (e *evaluator) share(v *value, depth int) {
	if v == nil || e.shared[v] || depth > maxDepth {
		return
	}
	e.shared[v] = true
	for _, elem := range v.elems {
		e.share(elem, depth+1)
	}
	for _, it := range v.items {
		e.share(it.val, depth+1)
	}
}

// lose forgets the names that a statement may change.
func (e *evaluator) lose(stmt syntax.Stmt) {
	syntax.Walk(stmt, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.AssignStmt:
			eachName(n.LHS, func(name string) { e.globals[name] = &value{} })
		case *syntax.LoadStmt:
			for _, id := range n.To {
				e.globals[id.Name] = &value{}
			}
			for _, id := range n.From {
				e.globals[id.Name] = &value{}
			}
		case *syntax.DotExpr:
			if id, ok := n.X.(*syntax.Ident); ok && mutators[n.Name.Name] {
				e.globals[id.Name] = &value{}
			}
		}
		return true
	})
}

// mutators are the methods that change what they are called on.
var mutators = map[string]bool{
	"append": true, "extend": true, "insert": true, "remove": true, "pop": true,
	"popitem": true, "clear": true, "update": true, "setdefault": true,
}

// eachName calls f for the names that an assignment's left side changes.
func eachName(x syntax.Expr, f func(string)) {
	switch x := x.(type) {
	case *syntax.Ident:
		f(x.Name)
	case *syntax.ParenExpr:
		eachName(x.X, f)
	case *syntax.TupleExpr:
		for _, elem := range x.List {
			eachName(elem, f)
		}
	case *syntax.ListExpr:
		for _, elem := range x.List {
			eachName(elem, f)
		}
	case *syntax.IndexExpr:
		eachName(x.X, f)
	}
}

// mutatedNames returns the names of the top level that functions may change:
// by themselves, or because they are handed to one that changes what it gets.
// It does not follow a table through a second name.
func mutatedNames(stmts []syntax.Stmt) map[string]bool {
	mutated, mutating := map[string]bool{}, map[string]bool{}
	var defs []*syntax.DefStmt
	for _, stmt := range stmts {
		syntax.Walk(stmt, func(n syntax.Node) bool {
			if def, ok := n.(*syntax.DefStmt); ok {
				defs = append(defs, def)
			}
			return true
		})
	}
	for _, def := range defs {
		local, params := map[string]bool{}, map[string]bool{}
		for _, p := range def.Params {
			if b, ok := p.(*syntax.BinaryExpr); ok {
				p = b.X
			}
			if id, ok := p.(*syntax.Ident); ok {
				params[id.Name] = true
			}
		}
		change := func(name string) {
			switch {
			case params[name]:
				mutating[def.Name.Name] = true
			case !local[name]:
				mutated[name] = true
			}
		}
		syntax.Walk(def, func(n syntax.Node) bool {
			switch n := n.(type) {
			case *syntax.AssignStmt:
				if _, ok := n.LHS.(*syntax.IndexExpr); !ok {
					eachName(n.LHS, func(name string) { local[name] = true })
				}
			case *syntax.ForStmt:
				eachName(n.Vars, func(name string) { local[name] = true })
			}
			return true
		})
		syntax.Walk(def, func(n syntax.Node) bool {
			switch n := n.(type) {
			case *syntax.AssignStmt:
				if _, ok := n.LHS.(*syntax.IndexExpr); ok {
					eachName(n.LHS, change)
				}
			case *syntax.CallExpr:
				dot, ok := n.Fn.(*syntax.DotExpr)
				if !ok || !mutators[dot.Name.Name] {
					break
				}
				if id, ok := dot.X.(*syntax.Ident); ok {
					change(id.Name)
				}
			}
			return true
		})
	}
	for _, stmt := range stmts {
		syntax.Walk(stmt, func(n syntax.Node) bool {
			call, ok := n.(*syntax.CallExpr)
			if !ok {
				return true
			}
			if id, ok := call.Fn.(*syntax.Ident); ok && mutating[id.Name] {
				for _, arg := range call.Args {
					if b, ok := arg.(*syntax.BinaryExpr); ok && b.Op == syntax.EQ {
						arg = b.Y
					}
					if id, ok := arg.(*syntax.Ident); ok {
						mutated[id.Name] = true
					}
				}
			}
			return true
		})
	}
	return mutated
}
