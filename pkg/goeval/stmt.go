package goeval

import (
	"go/ast"
	"go/constant"
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
	if onlyPanics(g) {
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
		p.store(env, s.X, p.binary(op, p.eval(env, s.X), intValue(1), s), s.X)
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
		// Run at once: what a deferred call does to results is not followed.
		p.maybeCall(env, s.Call)
	case *ast.GoStmt:
		p.maybeCall(env, s.Call)
	case *ast.SendStmt, *ast.SelectStmt:
		panic(stopping{"a channel at " + p.Fset.Position(s.Pos()).String() + " is not understood"})
	case *ast.BadStmt:
		p.unreliable(env)
	}
	return flow{}
}

// unreliable is what a statement that could not be parsed does: nothing that
// is known. What the syntax error hides is reported elsewhere.
func (p *Program) unreliable(*scope) {}

// results returns the operands of a return statement.
func (p *Program) results(env *scope, s *ast.ReturnStmt) Value {
	switch len(s.Results) {
	case 0:
		return nil // what named results have
	case 1:
		return copyOf(p.eval(env, s.Results[0]))
	}
	t := make(tuple, len(s.Results))
	for i, e := range s.Results {
		t[i] = copyOf(p.eval(env, e))
	}
	return t
}

// maybeCall is a call that happens at some time or other, or never.
func (p *Program) maybeCall(env *scope, call *ast.CallExpr) {
	why := unknownf("when a deferred or concurrent call happens")
	p.fork(why, func() flow { p.eval(env, call); return flow{} }, func() flow { return flow{} })
}

func (p *Program) declare(env *scope, d ast.Decl) {
	g, ok := d.(*ast.GenDecl)
	if !ok {
		return
	}
	var last *ast.ValueSpec
	for i, spec := range g.Specs {
		switch s := spec.(type) {
		case *ast.TypeSpec:
			c := env.define(s.Name.Name, &Cell{})
			c.val = typeValue{p.declaredType(env, nil, s)}
		case *ast.ValueSpec:
			if len(s.Values) > 0 || s.Type != nil {
				last = s
			}
			if g.Tok == token.CONST && last != nil {
				in := newScope(env)
				in.define("iota", &Cell{val: intValue(i)})
				p.declareValues(env, in, s.Names, last, true)
			} else {
				p.declareValues(env, env, s.Names, s, false)
			}
		}
	}
}

// declareValues declares names in env with the values of spec, seen from in.
func (p *Program) declareValues(env, in *scope, names []*ast.Ident, spec *ast.ValueSpec, konst bool) {
	cells := p.initial(in, names, spec, konst)
	for i, name := range names {
		env.define(name.Name, cells[i])
	}
}

// initial returns the variables, or constants, of a declaration.
func (p *Program) initial(env *scope, names []*ast.Ident, spec *ast.ValueSpec, konst bool) []*Cell {
	cells := make([]*Cell, len(names))
	var typ *Type
	if spec.Type != nil {
		typ = p.typeOf(env, spec.Type)
	}
	var values tuple
	if len(spec.Values) == 1 && len(names) > 1 {
		values, _ = p.eval(env, spec.Values[0]).(tuple)
	}
	for i := range names {
		cells[i] = &Cell{}
		switch {
		case len(spec.Values) == 0 && typ != nil:
			cells[i].val = typ.zero()
		case i < len(spec.Values) && len(spec.Values) == len(names):
			cells[i].val, cells[i].Node = convertTo(copyOf(p.eval(env, spec.Values[i])), typ), spec.Values[i]
		case i < len(values):
			cells[i].val = values[i]
		default:
			cells[i].val = unknownf("a declaration that is not understood")
		}
		if !konst {
			cells[i].val = withDefault(cells[i].val)
		}
	}
	return cells
}

func (p *Program) assign(env *scope, s *ast.AssignStmt) {
	if s.Tok != token.ASSIGN && s.Tok != token.DEFINE {
		op := s.Tok - (token.ADD_ASSIGN - token.ADD) // the order in go/token is that of the operators
		if len(s.Lhs) == 1 && len(s.Rhs) == 1 {
			p.store(env, s.Lhs[0], p.binary(op, p.eval(env, s.Lhs[0]), p.eval(env, s.Rhs[0]), s), s.Rhs[0])
		}
		return
	}
	values := make([]Value, len(s.Lhs))
	nodes := make([]ast.Expr, len(s.Lhs))
	if len(s.Rhs) == len(s.Lhs) {
		for i, e := range s.Rhs {
			values[i], nodes[i] = copyOf(p.eval(env, e)), e
		}
	} else if len(s.Rhs) == 1 {
		for i, v := range p.several(env, s.Rhs[0], len(s.Lhs)) {
			values[i], nodes[i] = v, s.Rhs[0]
		}
	}
	for i, lhs := range s.Lhs {
		if values[i] == nil {
			values[i] = unknownf("an assignment that is not understood")
		}
		if name, ok := lhs.(*ast.Ident); ok && s.Tok == token.DEFINE {
			if c := env.get(name.Name); c != nil && len(s.Lhs) > 1 {
				p.set(c, values[i])
			} else {
				env.define(name.Name, &Cell{withDefault(values[i]), nodes[i]})
			}
			continue
		}
		p.store(env, lhs, values[i], nodes[i])
	}
}

// several evaluates an expression of n values: a call, or the form of a look-up
// that says whether there is something.
func (p *Program) several(env *scope, expr ast.Expr, n int) []Value {
	switch e := ast.Unparen(expr).(type) {
	case *ast.IndexExpr:
		if m, ok := p.eval(env, e.X).(*Map); ok && n == 2 {
			v, found := p.mapIndex(m, p.eval(env, e.Index))
			return []Value{copyOf(v), found}
		}
	case *ast.TypeAssertExpr:
		if n == 2 {
			why := unknownf("a type assertion")
			return []Value{why, why}
		}
	}
	if t, ok := p.eval(env, expr).(tuple); ok && len(t) == n {
		return t
	}
	values := make([]Value, n)
	for i := range values {
		values[i] = unknownf("what %s returns", p.show(expr))
	}
	return values
}

// store assigns to what an expression denotes.
func (p *Program) store(env *scope, lhs ast.Expr, v Value, node ast.Expr) {
	lhs = ast.Unparen(lhs)
	if name, ok := lhs.(*ast.Ident); ok && name.Name == "_" {
		return
	}
	if e, ok := lhs.(*ast.IndexExpr); ok {
		switch m := p.eval(env, e.X).(type) {
		case *Map:
			p.mapStore(m, p.eval(env, e.Index), v, e.Index, node)
			return
		case Nil:
			p.raise(e, "assignment to entry in nil map")
		}
	}
	c := p.cellOf(env, lhs)
	if c == nil {
		return // into something unknown
	}
	p.set(c, v)
	c.Node = node
}

func (p *Program) mapStore(m *Map, key, v Value, keyNode, node ast.Expr) {
	k := keyOf(key)
	if k.kind == 0 {
		if m.Open == nil {
			m.Open = unknownf("a key that is not known")
			if u, ok := key.(*Unknown); ok {
				m.Open = u
			}
		}
		return
	}
	p.setEntry(m, k, &Entry{Key: key, Node: keyNode, Cell: &Cell{v, node}})
}

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

func (p *Program) execFor(env *scope, s *ast.ForStmt, label string) flow {
	env = newScope(env)
	if s.Init != nil {
		p.exec(env, s.Init)
	}
	var round func() flow
	round = func() flow {
		for {
			p.step(s)
			if s.Cond != nil {
				cond := p.eval(env, s.Cond)
				yes, ok := Bool(cond)
				if !ok {
					return p.blurred(p.reason(cond, s.Cond), func() flow { return p.execBlock(env, s.Body.List) }, label)
				}
				if !yes {
					return flow{}
				}
			}
			f := p.nextRound(p.execBlock(env, s.Body.List), label)
			if f.ends() {
				return f
			}
			post := func() {
				if s.Post != nil {
					p.exec(env, s.Post)
				}
			}
			if why := f.maybeEnds(); why != nil {
				return p.afterFork(f, why, func() flow { post(); return round() })
			}
			post()
		}
	}
	return p.leave(round(), label)
}

// nextRound returns the flow behind a round of a loop: a continue ends there.
func (p *Program) nextRound(f flow, label string) flow { return p.settle(f, token.CONTINUE, label) }

// blurred is a loop of which it is not known how often it goes round: what it
// may change is unknown.
func (p *Program) blurred(why *Unknown, body func() flow, label string) flow {
	j := p.begin()
	f := p.catch(body)
	e := p.end(j)
	for c := range e.cells {
		p.set(c, why) // so that a second round sees it
	}
	j = p.begin()
	g := p.catch(body)
	e2 := p.end(j)
	for c := range e2.cells {
		p.set(c, why)
	}
	p.join(effect{}, effect{entries: e2.entries}, why)
	exits := []exit{{kind: goesOn}}
	for _, x := range either(f.exits, g.exits, why) {
		if x.kind != panics && x.kind != goesOn && !ends(x, token.CONTINUE, label) && !ends(x, token.BREAK, label) {
			x.val = merge(x.val, why, why)
			exits = append(exits, x)
		}
	}
	return flow{exits: exits, why: why}
}

// rangeItem is what the variables of a range statement get.
type rangeItem struct {
	key, val Value
	node     ast.Expr
	maybe    *Unknown
}

// execRange executes a range statement; each round goes through around, if it
// is not nil.
func (p *Program) execRange(env *scope, s *ast.RangeStmt, label string, around func(func() flow) flow) flow {
	items, why := p.items(p.eval(env, s.X), s)
	body := func(item rangeItem) flow {
		in := newScope(env)
		p.bind(in, s, s.Key, item.key, nil)
		p.bind(in, s, s.Value, item.val, item.node)
		return p.execBlock(in, s.Body.List)
	}
	one := func(item rangeItem) flow {
		if item.maybe == nil && around == nil {
			return p.nextRound(body(item), label)
		}
		run := func() flow { return p.nextRound(body(item), label) }
		if item.maybe != nil {
			skipped := run
			run = func() flow { return p.fork(item.maybe, skipped, func() flow { return flow{} }) }
		}
		if around != nil {
			return around(run)
		}
		return run()
	}
	var rounds func(i int) flow
	rounds = func(i int) flow {
		for ; i < len(items); i++ {
			p.step(s)
			f := one(items[i])
			if f.ends() {
				return f
			}
			if why := f.maybeEnds(); why != nil {
				return p.afterFork(f, why, func() flow { return rounds(i + 1) })
			}
		}
		if why != nil {
			return p.blurred(why, func() flow { return body(rangeItem{key: why, val: why}) }, label)
		}
		return flow{}
	}
	return p.leave(rounds(0), label)
}

// bind gives a variable of a range statement its value.
func (p *Program) bind(env *scope, s *ast.RangeStmt, lhs ast.Expr, v Value, node ast.Expr) {
	if lhs == nil {
		return
	}
	if v == nil {
		v = Nil{}
	}
	if name, ok := lhs.(*ast.Ident); ok && s.Tok == token.DEFINE {
		env.define(name.Name, &Cell{withDefault(copyOf(v)), node})
		return
	}
	p.store(env, lhs, copyOf(v), node)
}

// items returns what a range over v goes through, and why there may be more.
func (p *Program) items(v Value, s *ast.RangeStmt) (items []rangeItem, why *Unknown) {
	switch v := v.(type) {
	case *Slice:
		items = make([]rangeItem, 0, len(v.Elems))
		for i, c := range v.Elems {
			item := rangeItem{typedInt(i), c.Get(), c.Node, nil}
			if v.Type == seqType {
				item.key = c.Get()
			}
			items = append(items, item)
		}
		return items, v.Open
	case *Map:
		for _, e := range v.Entries() {
			items = append(items, rangeItem{e.Key, e.Cell.Get(), e.Cell.Node, e.Maybe})
		}
		return items, v.Open
	case Nil:
		return nil, nil
	case Text:
		for i, r := range v.S {
			items = append(items, rangeItem{key: typedInt(i), val: Number{constant.MakeInt64(int64(r)), runeType}})
		}
		return items, nil
	case Number:
		if n, ok := Int(v); ok && n < 1<<20 {
			for i := range n {
				items = append(items, rangeItem{key: Number{constant.MakeInt64(i), v.Type}})
			}
			return items, nil
		}
	case *Unknown:
		return nil, v
	}
	return nil, unknownf("a range over %s", p.show(s.X))
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
	f := p.execBlock(env, clauses[i].Body)
	if f.has(token.FALLTHROUGH) && i+1 < len(clauses) {
		return p.execClause(env, clauses, i+1)
	}
	return f
}

func (p *Program) execTypeSwitch(env *scope, s *ast.TypeSwitchStmt) flow {
	why := unknownf("a type switch")
	env = newScope(env)
	if s.Init != nil {
		p.exec(env, s.Init)
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
