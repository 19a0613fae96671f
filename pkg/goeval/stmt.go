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
				in.define("iota", &Cell{val: untypedInt(i)})
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
			cells[i].val, cells[i].Node = convertTo(p.evalCopy(env, spec.Values[i]), typ), spec.Values[i]
		case i < len(values):
			cells[i].val = convertTo(copyOf(values[i]), typ)
		default:
			cells[i].val = unknownf("a declaration that is not understood")
		}
		if !konst {
			cells[i].val = withDefault(runeOf(cells[i].val, cells[i].Node))
		}
	}
	return cells
}

// runeOf gives an untyped constant that is written as a rune that type.
func runeOf(v Value, expr ast.Expr) Value {
	if n, ok := v.(Number); ok && n.Type == nil && n.V.Kind() == constant.Int && expr != nil {
		isRune := false
		ast.Inspect(expr, func(n ast.Node) bool {
			lit, ok := n.(*ast.BasicLit)
			isRune = isRune || ok && lit.Kind == token.CHAR
			return true
		})
		if isRune {
			return convertTo(v, runeType)
		}
	}
	return v
}

func (p *Program) assign(env *scope, s *ast.AssignStmt) {
	if s.Tok != token.ASSIGN && s.Tok != token.DEFINE {
		op := s.Tok - (token.ADD_ASSIGN - token.ADD) // the order in go/token is that of the operators
		if len(s.Lhs) == 1 && len(s.Rhs) == 1 {
			to := p.placeOf(env, s.Lhs[0])
			old := p.valueAt(to)
			p.storeAt(to, p.binary(op, old, p.eval(env, s.Rhs[0]), s), s.Rhs[0])
		}
		return
	}
	if s.Tok == token.ASSIGN && len(s.Lhs) == 1 && len(s.Rhs) == 1 {
		if call, ok := s.Rhs[0].(*ast.CallExpr); ok && len(call.Args) > 1 && sameVariable(s.Lhs[0], call.Args[0]) {
			p.dropped = call.Args[0]
		}
		to := p.placeOf(env, s.Lhs[0])
		p.storeAt(to, p.evalCopy(env, s.Rhs[0]), s.Rhs[0])
		return
	}
	// What the left side denotes is found out before anything is assigned.
	var places []place
	if s.Tok == token.ASSIGN {
		for _, lhs := range s.Lhs {
			places = append(places, p.placeOf(env, lhs))
		}
	}
	values := make([]Value, len(s.Lhs))
	nodes := make([]ast.Expr, len(s.Lhs))
	if len(s.Rhs) == len(s.Lhs) {
		for i, e := range s.Rhs {
			values[i], nodes[i] = p.evalCopy(env, e), e
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
				p.assignTo(c, values[i])
			} else {
				env.define(name.Name, &Cell{withDefault(runeOf(values[i], nodes[i])), nodes[i]})
			}
			continue
		}
		if i < len(places) {
			p.storeAt(places[i], values[i], nodes[i])
		}
	}
}

// sameVariable reports whether two expressions denote the same variable, as
// x = append(x, y) has them.
func sameVariable(a, b ast.Expr) bool {
	switch a := a.(type) {
	case *ast.Ident:
		b, ok := b.(*ast.Ident)
		return ok && a.Name == b.Name
	case *ast.BasicLit:
		b, ok := b.(*ast.BasicLit)
		return ok && a.Value == b.Value
	case *ast.SelectorExpr:
		b, ok := b.(*ast.SelectorExpr)
		return ok && a.Sel.Name == b.Sel.Name && sameVariable(a.X, b.X)
	case *ast.StarExpr:
		b, ok := b.(*ast.StarExpr)
		return ok && sameVariable(a.X, b.X)
	case *ast.IndexExpr:
		b, ok := b.(*ast.IndexExpr)
		return ok && sameVariable(a.X, b.X) && sameVariable(a.Index, b.Index)
	}
	return false
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
			why := mix(unknownf("a type assertion"), p.eval(env, e.X))
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
	p.storeAt(p.placeOf(env, lhs), v, node)
}

// place is what an assignment goes to: a variable, an entry of a map, or
// something in a value that is not known. The blank one is empty.
type place struct {
	c       *Cell
	m       *Map
	key     Value
	keyNode ast.Expr
	lost    Value
	none    ast.Expr // an entry of a nil map
	zero    Value    // what such an entry reads as
}

// placeOf returns what an expression denotes.
func (p *Program) placeOf(env *scope, lhs ast.Expr) place {
	lhs = ast.Unparen(lhs)
	if name, ok := lhs.(*ast.Ident); ok && name.Name == "_" {
		return place{}
	}
	if e, ok := lhs.(*ast.IndexExpr); ok {
		x := p.eval(env, e.X)
		switch m := x.(type) {
		case *Map:
			return place{m: m, key: p.eval(env, e.Index), keyNode: e.Index}
		case Nil:
			if under := m.Type.under(); under.kind == kindMap {
				p.eval(env, e.Index)
				return place{none: e, zero: under.elem.zero()}
			}
			return place{none: e, zero: unknownf("%s", p.show(e))}
		}
		c := p.elementOf(env, x, e)
		if c == nil {
			if _, isSlice := x.(*Slice); isSlice {
				return place{lost: mix(unknownf("which element is meant by %s", p.show(e)), x)}
			}
			return place{lost: x}
		}
		return place{c: c}
	}
	c, in := p.cellIn(env, lhs)
	return place{c: c, lost: in}
}

// valueAt returns what is at a place.
func (p *Program) valueAt(to place) Value {
	switch {
	case to.c != nil:
		return to.c.Get()
	case to.m != nil:
		v, _ := p.mapIndex(to.m, to.key)
		return v
	case to.zero != nil:
		return to.zero
	}
	return mix(unknownf("a variable that is not known"), to.lost)
}

// storeAt assigns v.
func (p *Program) storeAt(to place, v Value, node ast.Expr) {
	switch {
	case to.c != nil:
		p.assignTo(to.c, v)
		to.c.Node = node
	case to.m != nil:
		p.mapStore(to.m, to.key, convertTo(v, to.m.Type.under().elem), to.keyNode, node)
	case to.none != nil:
		p.raise(to.none, "assignment to entry in nil map")
	case to.lost != nil:
		p.exposed(to.lost, unknownf("an assignment through what is not known"), false)
		if hasRefs(v) { // where it went is not known
			p.exposed(v, unknownf("an assignment through what is not known"), true)
		}
	}
}

// assignTo assigns v to a variable. Constants get its type; its fields and
// elements stay the variables that pointers to them have.
func (p *Program) assignTo(c *Cell, v Value) {
	switch old := c.val.(type) {
	case *Struct:
		switch v := v.(type) {
		case *Struct:
			if v.Type == old.Type && v != old {
				fresh := v.fields
				v.fields = make(map[string]*Cell, len(fresh))
				for name, f := range fresh {
					v.fields[name] = f
				}
				for name, f := range old.fields {
					nf := v.Field(name)
					p.assignTo(f, nf.Get())
					f.Node = nf.Node
					v.fields[name] = f
				}
			}
		case *Unknown:
			for _, f := range old.fields {
				p.assignTo(f, v)
			}
		}
	case *Slice:
		if old.Type.under().kind == kindArray {
			switch v := v.(type) {
			case *Slice:
				if len(v.Elems) == len(old.Elems) && v != old {
					for i, e := range old.Elems {
						p.assignTo(e, v.Elems[i].Get())
						v.Elems[i] = e
					}
				}
			case *Unknown:
				for _, e := range old.Elems {
					p.assignTo(e, v)
				}
			}
		}
	}
	p.set(c, adopted(v, c.val))
}

// adopted gives an untyped constant, or nil, the type of the variable that it
// is assigned to, as far as its old value tells.
func adopted(v, old Value) Value {
	if n, ok := v.(Nil); ok {
		if n.Type != nil {
			return v
		}
		switch o := old.(type) {
		case Nil:
			return o
		case *Slice:
			return Nil{o.Type}
		case *Map:
			return Nil{o.Type}
		}
		return v
	}
	if !untyped(v) {
		return v
	}
	if t := basicType(old); t != nil && kindOf(v) == kindOf(old) {
		return convertTo(v, t)
	}
	return vague(v)
}

// kindOf tells texts, bools and numbers apart.
func kindOf(v Value) int {
	switch v.(type) {
	case Text:
		return 1
	case Truth:
		return 2
	case Number:
		return 3
	}
	return 0
}

// mapStore adds an entry to a map, or replaces it.
func (p *Program) mapStore(m *Map, key, v Value, keyNode, node ast.Expr) {
	k := m.keyOf(key)
	if k.kind == 0 {
		why := unknownf("a key that is not known")
		if u, ok := key.(*Unknown); ok {
			why = u
		}
		p.open(m, mix(why, v))
		if hasRefs(v) {
			m.Open = mix(m.Open, v)
		}
		return
	}
	p.setEntry(m, k, &Entry{Key: key, Node: keyNode, Cell: &Cell{v, node}})
}

// open notes that there may be other entries in a map.
func (p *Program) open(m *Map, why *Unknown) {
	if m.Open == nil {
		m.Open = why
		p.opened = append(p.opened, m)
	}
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
	captured := s.Init != nil && !p.mod.sharesLoops() && captures(s)
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
				if captured { // each round has variables of its own
					env = copyScope(env)
				}
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

// captures reports whether the variables of a loop may outlive a round.
func captures(s *ast.ForStmt) (yes bool) {
	ast.Inspect(s, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			yes = true
		case *ast.UnaryExpr:
			yes = yes || n.Op == token.AND
		}
		return !yes
	})
	return yes
}

// copyScope returns a scope with copies of the variables of env.
func copyScope(env *scope) *scope {
	c := *env
	c.few = make([]binding, len(env.few))
	for i, b := range env.few {
		c.few[i] = binding{b.name, &Cell{copyOf(b.cell.Get()), b.cell.Node}}
	}
	return &c
}

// nextRound returns the flow behind a round of a loop: a continue ends there.
func (p *Program) nextRound(f flow, label string) flow { return p.settle(f, token.CONTINUE, label) }

// blurred is a loop of which it is not known how often it goes round: what it
// may change is unknown.
func (p *Program) blurred(why *Unknown, body func() flow, label string) flow {
	if p.blurs++; p.blurs > maxBlurs {
		panic(stopping{"loops of unknown length nest too deep"})
	}
	exits := []exit{{kind: goesOn}}
	// Further rounds see what the ones before may have changed, until there is
	// nothing new.
	for n, rounds := -1, 0; ; rounds++ {
		f, e := p.way(body)
		for c, v := range e.cells {
			p.set(c, mix(why, v, c.val))
		}
		p.join(effect{}, effect{entries: e.entries}, why)
		for _, x := range normal(f.exits) {
			if (x.kind != panics || p.recovering > 0) && x.kind != goesOn && !ends(x, token.CONTINUE, label) && !ends(x, token.BREAK, label) {
				exits = either(exits, []exit{{x.kind, x.label, merge(x.val, why, why)}}, why)
			}
		}
		if len(e.cells)+len(e.entries) <= n {
			break
		}
		n = len(e.cells) + len(e.entries)
		if rounds > maxRounds {
			panic(stopping{"what a loop of unknown length changes is not understood"})
		}
	}
	p.blurs--
	return flow{exits: exits, why: why}
}

// maxBlurs and maxRounds bound the work on loops of unknown length.
const maxBlurs, maxRounds = 8, 20

// rangeItem is what the variables of a range statement get.
type rangeItem struct {
	key, val Value
	node     ast.Expr
	maybe    *Unknown
	cell     *Cell // of an element of a slice, or an entry of a map, as it is when its turn comes
	entry    mapKey
}

// execRange executes a range statement; each round goes through around, if it
// is not nil.
func (p *Program) execRange(env *scope, s *ast.RangeStmt, label string, around func(func() flow) flow) flow {
	// Before Go 1.22 the rounds share the variables.
	var shared *scope
	if p.mod.sharesLoops() {
		shared = newScope(env)
	}
	over := p.eval(env, s.X)
	items, why := p.items(over, s)
	body := func(item rangeItem) flow {
		in := shared
		if in == nil {
			in = newScope(env)
		}
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
			item := items[i]
			if m, ok := over.(*Map); ok {
				e := m.entries[item.entry]
				if e == nil {
					continue // deleted meanwhile
				}
				item.val, item.node, item.maybe = e.Cell.Get(), e.Cell.Node, e.Maybe
			}
			if item.cell != nil {
				item.val, item.node = item.cell.Get(), item.cell.Node
			}
			f := one(item)
			if f.ends() {
				return f
			}
			if why := f.maybeEnds(); why != nil {
				return p.afterFork(f, why, func() flow { return rounds(i + 1) })
			}
		}
		if why != nil {
			return p.blurred(why, func() flow { return body(rangeItem{key: why, val: mix(why, over)}) }, label)
		}
		return flow{}
	}
	if _, ok := over.(*Map); ok && why != nil && len(items) > 0 {
		// What is not known may come before what is.
		f := p.blurred(why, func() flow { return body(rangeItem{key: why, val: mix(why, over)}) }, label)
		if f.maybeEnds() != nil {
			return p.leave(p.afterFork(f, why, func() flow { return rounds(0) }), label)
		}
	}
	if _, ok := over.(*Map); ok && len(items) > 1 {
		return p.leave(p.anyOrder(items, func(item rangeItem) flow { return p.nextRound(body(item), label) }, func() flow { return rounds(0) }), label)
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
		if c := env.get(name.Name); c != nil {
			p.assignTo(c, copyOf(v))
			return
		}
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
			item := rangeItem{key: intValue(i), val: c.Get(), node: c.Node}
			if v.Type.under().kind != kindArray {
				item.cell = c
			}
			if v.Type == seqType {
				item.key = c.Get()
			}
			items = append(items, item)
		}
		if v.Open != nil {
			items = items[:min(v.sure, len(items))] // the others may come anywhere
		}
		return items, v.Open
	case *Map:
		for _, e := range v.Entries() {
			items = append(items, rangeItem{key: e.Key, val: e.Cell.Get(), node: e.Cell.Node, maybe: e.Maybe, entry: v.keyOf(e.Key)})
		}
		return items, v.Open
	case Nil:
		return nil, nil
	case Text:
		for i, r := range v.S {
			items = append(items, rangeItem{key: intValue(i), val: Number{constant.MakeInt64(int64(r)), runeType}})
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
	case *Func: // an iterator
		why = unknownf("a range over %s", p.show(s.X))
		p.exposed(v, why, false)
		return nil, why
	}
	return nil, mix(unknownf("a range over %s", p.show(s.X)), v)
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
