package goeval

// maxOrders bounds how deep ranges over maps are gone through in several
// orders.
const maxOrders = 3

// anyOrder goes through a map, whose order is not known: what depends on it is
// unknown. The rounds are tried from the first to the last and back; where one
// does something else after others, or two assign to the same variable, it
// matters which came first. run goes through it in the order of the source.
func (p *Program) anyOrder(items []rangeItem, round func(rangeItem) flow, run func() flow) flow {
	why := unknownf("the order of a map")
	if p.orders >= maxOrders {
		panic(stopping{"ranges over maps nest too deep"})
	}
	p.orders++
	try := func(at func(i int) int) (effects []effect, exits []exit) {
		observed := len(p.Observed)
		effects = make([]effect, len(items))
		p.way(func() flow {
			for i := range items {
				k := at(i)
				f, e := p.way(func() flow { return round(items[k]) })
				p.mayPanic(f)
				for _, x := range normal(f.exits) {
					if x.kind != goesOn && x.kind != panics {
						exits = append(exits, x)
					}
				}
				effects[k] = e
				p.apply(e)
			}
			return flow{}
		})
		p.Observed = p.Observed[:observed]
		return effects, exits
	}
	there, exits := try(func(i int) int { return i })
	back, _ := try(func(i int) int { return len(items) - 1 - i })
	p.orders--

	// What is doubtful: assigned in several rounds, or in one direction only.
	cells, entries := map[*Cell]bool{}, map[entryKey]bool{}
	depends := false
	count := map[*Cell][]Value{}
	counted := map[entryKey][]*Entry{}
	all := map[*Cell]bool{}
	allEntries := map[entryKey]bool{}
	for i := range items {
		for c, v := range there[i].cells {
			count[c] = append(count[c], v)
			all[c] = true
			if w, ok := back[i].cells[c]; !ok {
				cells[c] = true
			} else if !alike(v, w, 0) {
				cells[c], depends = true, true
			}
		}
		for c := range back[i].cells {
			all[c] = true
			if _, ok := there[i].cells[c]; !ok {
				cells[c] = true
			}
		}
		for k, e := range there[i].entries {
			counted[k] = append(counted[k], e)
			allEntries[k] = true
			if w, ok := back[i].entries[k]; !ok {
				entries[k] = true
			} else if !alikeEntries(e, w) {
				entries[k], depends = true, true
			}
		}
		for k := range back[i].entries {
			allEntries[k] = true
			if _, ok := there[i].entries[k]; !ok {
				entries[k] = true
			}
		}
	}
	for c, list := range count {
		for _, v := range list[1:] {
			if !alike(v, list[0], 0) {
				cells[c] = true
			}
		}
	}
	for k, list := range counted {
		for _, e := range list[1:] {
			if !alikeEntries(e, list[0]) {
				entries[k] = true
			}
		}
	}
	spoil := func(cells map[*Cell]bool, entries map[entryKey]bool) {
		for c := range cells {
			v := []Value{c.val}
			for i := range items {
				v = append(v, there[i].cells[c], back[i].cells[c])
			}
			p.set(c, mix(why, v...))
		}
		for k := range entries {
			p.open(k.m, why)
		}
	}
	if len(exits) > 0 {
		// How many rounds there are is not known either.
		spoil(all, allEntries)
		f := flow{why: why}
		for _, x := range exits {
			f.exits = eitherAlike(f.exits, x, why)
		}
		if !p.certainlyLeaves(items, round) {
			f.exits = append(f.exits, exit{kind: goesOn})
		}
		return f
	}
	if depends {
		cells, entries = all, allEntries
	}
	f := run()
	spoil(cells, entries)
	return f
}

// certainlyLeaves reports whether some round of a loop ends it for sure.
func (p *Program) certainlyLeaves(items []rangeItem, round func(rangeItem) flow) bool {
	observed := len(p.Observed)
	defer func() { p.Observed = p.Observed[:observed] }()
	for _, item := range items {
		f, _ := p.way(func() flow { return round(item) })
		if f.ends() && !f.has(panics) && item.maybe == nil {
			return true
		}
	}
	return false
}

// eitherAlike adds an exit to exits; of equal kinds the value is unknown, unless it is
// the same.
func eitherAlike(exits []exit, x exit, why *Unknown) []exit {
	for i, o := range exits {
		if o.kind == x.kind && o.label == x.label {
			if !alike(o.val, x.val, 0) {
				exits[i].val = merge(o.val, x.val, why)
			}
			return exits
		}
	}
	return append(exits, x)
}

func alikeEntries(a, b *Entry) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Maybe == b.Maybe && alike(a.Cell.Get(), b.Cell.Get(), 0)
}

// alike reports whether two values that were made in two ways look the same.
func alike(a, b Value, depth int) bool {
	if depth > maxNesting {
		return false
	}
	switch x := a.(type) {
	case nil:
		return b == nil
	case *Unknown:
		y, ok := b.(*Unknown)
		return ok && (x == y || x.may == nil && y.may == nil)
	case tuple:
		y, ok := b.(tuple)
		if !ok || len(x) != len(y) {
			return false
		}
		for i := range x {
			if !alike(x[i], y[i], depth+1) {
				return false
			}
		}
		return true
	case *Pointer:
		y, ok := b.(*Pointer)
		return ok && (x.To == y.To || alike(x.To.Get(), y.To.Get(), depth+1))
	case *Slice:
		y, ok := b.(*Slice)
		if !ok || x != y && (x.Open != nil || y.Open != nil || len(x.Elems) != len(y.Elems)) {
			return false
		}
		for i := range x.Elems {
			if x.Elems[i] != y.Elems[i] && !alike(x.Elems[i].Get(), y.Elems[i].Get(), depth+1) {
				return false
			}
		}
		return true
	case *Struct:
		y, ok := b.(*Struct)
		if !ok || x.Type != y.Type || len(x.fields) != len(y.fields) {
			return false
		}
		for name, f := range x.fields {
			g := y.fields[name]
			if g == nil || f != g && !alike(f.Get(), g.Get(), depth+1) {
				return false
			}
		}
		return true
	case *Map:
		y, ok := b.(*Map)
		if !ok || x != y && (x.Open != nil || y.Open != nil || len(x.entries) != len(y.entries)) {
			return false
		}
		for key, e := range x.entries {
			if !alikeEntries(e, y.entries[key]) {
				return false
			}
		}
		return true
	case *Func:
		y, ok := b.(*Func)
		return ok && x.Body == y.Body && x.bound == y.bound && alike(x.self, y.self, depth+1) && alikeScopes(x.env, y.env, depth+1)
	}
	return same(a, b)
}

func alikeScopes(a, b *scope, depth int) bool {
	for ; a != b; a, b = a.parent, b.parent {
		if a == nil || b == nil || a.many != nil || b.many != nil || len(a.few) != len(b.few) {
			return false
		}
		for i := range a.few {
			if a.few[i].name != b.few[i].name || a.few[i].cell != b.few[i].cell && !alike(a.few[i].cell.Get(), b.few[i].cell.Get(), depth+1) {
				return false
			}
		}
	}
	return true
}
