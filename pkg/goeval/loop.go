package goeval

import (
	"go/ast"
	"go/constant"
	"go/token"
)

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
