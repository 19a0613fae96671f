package goeval

// Where a condition is not known, both ways are gone, one after the other from
// the same state, and what differs afterwards is unknown. A journal holds what
// has to be put back between them.
type journal struct {
	cells   map[*Cell]Value
	entries map[entryKey]*Entry // nil: there was none
}

type entryKey struct {
	m   *Map
	key mapKey
}

// effect is what a way has changed: the new values.
type effect struct {
	cells   map[*Cell]Value
	entries map[entryKey]*Entry
}

// set gives a variable a new value.
func (p *Program) set(c *Cell, v Value) {
	if p.escaped != nil {
		if why := p.escaped[c]; why != nil {
			if v != Value(why) {
				p.exposed(v, why, true)
			}
			v = why
		}
	}
	p.change(c, v)
}

// change is set whatever else may change c.
func (p *Program) change(c *Cell, v Value) {
	if p.twins != nil {
		for _, t := range p.twins[c] {
			p.put(t, mix(unknownf("whether two slices share their elements"), v, t.val))
		}
	}
	p.put(c, v)
}

// put is set for c alone.
func (p *Program) put(c *Cell, v Value) {
	for _, j := range p.journals {
		if _, ok := j.cells[c]; !ok {
			j.cells[c] = c.val
		}
	}
	c.val = v
}

// setEntry adds, replaces or, with nil, deletes an entry of a map.
func (p *Program) setEntry(m *Map, key mapKey, e *Entry) {
	k := entryKey{m, key}
	old := m.entries[key]
	for _, j := range p.journals {
		if _, ok := j.entries[k]; !ok {
			j.entries[k] = old
		}
	}
	m.put(key, e)
}

func (m *Map) put(key mapKey, e *Entry) {
	if e == nil {
		delete(m.entries, key)
		return
	}
	if _, ok := m.entries[key]; !ok {
		if m.entries == nil {
			m.entries = map[mapKey]*Entry{}
		}
		m.order = append(m.order, key)
	}
	m.entries[key] = e
	// An entry that was deleted and comes again is twice in the order.
	if len(m.order) > 2*len(m.entries)+16 {
		m.compact()
	}
}

// compact drops from the order what has been deleted.
func (m *Map) compact() {
	seen := map[mapKey]bool{}
	var order []mapKey
	for _, key := range m.order {
		if m.entries[key] != nil && !seen[key] {
			seen[key] = true
			order = append(order, key)
		}
	}
	m.order = order
}

// begin opens a journal.
func (p *Program) begin() *journal {
	j := &journal{map[*Cell]Value{}, map[entryKey]*Entry{}}
	p.journals = append(p.journals, j)
	return j
}

// end closes the journal j, and what was opened after it, puts everything back
// to where it was at begin, and returns what had changed.
func (p *Program) end(j *journal) effect {
	for i := len(p.journals) - 1; i >= 0; i-- {
		if p.journals[i] == j {
			p.journals = p.journals[:i]
			break
		}
	}
	e := effect{make(map[*Cell]Value, len(j.cells)), make(map[entryKey]*Entry, len(j.entries))}
	for c, old := range j.cells {
		e.cells[c] = c.val
		c.val = old
	}
	for k, old := range j.entries {
		e.entries[k] = k.m.entries[k.key]
		k.m.put(k.key, old)
	}
	return e
}

// apply makes the changes of one way.
func (p *Program) apply(e effect) {
	for c, v := range e.cells {
		p.set(c, v)
	}
	for k, entry := range e.entries {
		p.setEntry(k.m, k.key, entry)
	}
}

// join makes the changes of two ways of which one is gone, it is not known
// which: where they differ, the value is unknown.
func (p *Program) join(a, b effect, why *Unknown) {
	for c := range union(a.cells, b.cells) {
		x, y := valueIn(a, c), valueIn(b, c)
		if x != nil && y != nil && same(x, y) {
			p.set(c, x)
		} else {
			p.set(c, mix(why, x, y))
		}
	}
	for k := range union(a.entries, b.entries) {
		x, y := entryIn(a, k), entryIn(b, k)
		switch {
		case x == y:
			p.setEntry(k.m, k.key, x)
		case x == nil || y == nil:
			e := *orElse(x, y)
			e.Maybe = why
			p.setEntry(k.m, k.key, &e)
		default:
			e := *x
			if !same(x.Cell.Get(), y.Cell.Get()) {
				e.Cell = &Cell{mix(why, x.Cell.Get(), y.Cell.Get()), x.Cell.Node}
			}
			if e.Maybe == nil {
				e.Maybe = y.Maybe
			}
			p.setEntry(k.m, k.key, &e)
		}
	}
}

func orElse(x, y *Entry) *Entry {
	if x != nil {
		return x
	}
	return y
}

func valueIn(e effect, c *Cell) Value {
	if v, ok := e.cells[c]; ok {
		return v
	}
	return c.val
}

func entryIn(e effect, k entryKey) *Entry {
	if entry, ok := e.entries[k]; ok {
		return entry
	}
	return k.m.entries[k.key]
}

func union[K comparable, V any](a, b map[K]V) map[K]struct{} {
	keys := make(map[K]struct{}, len(a)+len(b))
	for k := range a {
		keys[k] = struct{}{}
	}
	for k := range b {
		keys[k] = struct{}{}
	}
	return keys
}
