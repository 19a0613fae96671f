package goeval

import "go/token"

// exit is a way out of a statement.
type exit struct {
	kind  token.Token // ILLEGAL: to the next statement; RETURN, BREAK, CONTINUE, FALLTHROUGH, or GOTO for a panic
	label string
	val   Value
}

// flow says how a statement may end. No exits mean the next statement.
type flow struct {
	exits []exit
	// alt is what the ways that do not go on have changed, which those that go
	// on must not see; why is what it hangs on whether they go on.
	alt effect
	why *Unknown
}

const (
	goesOn = token.ILLEGAL
	panics = token.GOTO
)

func end(kind token.Token, label string, val Value) flow {
	return flow{exits: []exit{{kind, label, val}}}
}

// ends reports whether the next statement is certainly not reached.
func (f flow) ends() bool { return len(f.exits) > 0 && !f.has(goesOn) }

// maybeEnds returns, if the next statement may or may not be reached, what that
// hangs on.
func (f flow) maybeEnds() *Unknown {
	if f.has(goesOn) && len(f.exits) > 1 {
		return f.why
	}
	return nil
}

func (f flow) has(kind token.Token) bool {
	if len(f.exits) == 0 {
		return kind == goesOn
	}
	for _, e := range f.exits {
		if e.kind == kind {
			return true
		}
	}
	return false
}

// either returns the exits of a and b, of each kind one.
func either(a, b []exit, why *Unknown) []exit {
	all := normal(a)
	for _, e := range normal(b) {
		found := false
		for i, o := range all {
			if o.kind == e.kind && o.label == e.label {
				found = true
				all[i].val = merge(o.val, e.val, why)
			}
		}
		if !found {
			all = append(all, e)
		}
	}
	return all
}

// normal spells out that no exits are the next statement.
func normal(exits []exit) []exit {
	if len(exits) == 0 {
		return []exit{{kind: goesOn}}
	}
	return append([]exit{}, exits...)
}

// merge returns the value of two that it may be.
func merge(a, b Value, why *Unknown) Value {
	ta, oka := a.(tuple)
	tb, okb := b.(tuple)
	switch {
	case a == nil && b == nil:
		return nil
	case oka && okb && len(ta) == len(tb):
		t := make(tuple, len(ta))
		for i := range ta {
			t[i] = merge(ta[i], tb[i], why)
		}
		return t
	case a != nil && b != nil && same(a, b):
		return a
	}
	return mix(why, a, b)
}

// fork goes two ways of which it is not known which one is gone. One that
// panics is left out: the program would not run.
func (p *Program) fork(why *Unknown, a, b func() flow) flow {
	fa, ea := p.way(a)
	fb, eb := p.way(b)
	switch {
	case p.recovering > 0: // it may go on after a panic
	case onlyPanics(fa):
		p.apply(eb)
		return fb
	case onlyPanics(fb):
		p.apply(ea)
		return fa
	}
	f := flow{exits: either(fa.exits, fb.exits, why), why: why}
	switch {
	case fa.ends() && !fb.ends():
		f.alt = ea.beside(eb)
		p.apply(eb)
	case fb.ends() && !fa.ends():
		f.alt = eb.beside(ea)
		p.apply(ea)
	default:
		p.join(ea, eb, why)
	}
	return f
}

// beside returns e with the old values, which are there now, of what only the
// other way changes.
func (e effect) beside(other effect) effect {
	for c := range other.cells {
		if _, ok := e.cells[c]; !ok {
			e.cells[c] = c.val
		}
	}
	for k := range other.entries {
		if _, ok := e.entries[k]; !ok {
			e.entries[k] = k.m.entries[k.key]
		}
	}
	return e
}

func onlyPanics(f flow) bool { return len(f.exits) == 1 && f.exits[0].kind == panics }

// way goes one way, and takes back what it has changed.
func (p *Program) way(run func() flow) (f flow, e effect) {
	j := p.begin()
	f = p.catch(run)
	p.join(f.alt, effect{}, f.why)
	f.alt = effect{}
	return f, p.end(j)
}

// catch calls run; a panic becomes a way to end.
func (p *Program) catch(run func() flow) (f flow) {
	calls, nodes := len(p.calls), p.nodes
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(panicking); !ok {
				panic(r)
			}
			p.calls, p.nodes = p.calls[:calls], nodes
			f = end(panics, "", nil)
		}
	}()
	return run()
}
