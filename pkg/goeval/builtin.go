package goeval

import (
	"go/ast"
	"go/token"
)

func (p *Program) callBuiltin(env *scope, name string, e *ast.CallExpr) Value {
	arg := func(i int) Value {
		if i < len(e.Args) {
			return p.eval(env, e.Args[i])
		}
		return unknownf("an argument of %s", name)
	}
	switch name {
	case "len", "cap":
		return p.length(arg(0), name)
	case "append":
		return p.appendTo(env, e)
	case "delete":
		if m, ok := arg(0).(*Map); ok {
			if k := m.keyOf(arg(1)); k.kind != 0 {
				p.setEntry(m, k, nil)
			} else {
				p.open(m, unknownf("a key that is deleted"))
			}
		} else {
			p.exposed(arg(0), unknownf("a key that is deleted"), false)
		}
	case "make":
		return p.makeValue(env, e)
	case "new":
		if len(e.Args) == 1 {
			if t, ok := arg(0).(typeValue); ok {
				return &Pointer{&Cell{val: t.t.zero()}}
			}
			return &Pointer{&Cell{val: copyOf(arg(0))}}
		}
	case "panic":
		message, _ := String(arg(0))
		p.raise(e, message)
	case "min", "max":
		op := token.LSS
		if name == "max" {
			op = token.GTR
		}
		best := arg(0)
		for i := 1; i < len(e.Args); i++ {
			v := arg(i)
			smaller, ok := Bool(p.binary(op, v, best, e))
			if !ok {
				return unknownf("%s", p.show(e))
			}
			if smaller {
				best = v
			}
		}
		return best
	case "print", "println":
		for i := range e.Args {
			arg(i)
		}
	case "recover":
		return unknownf("recover")
	case "copy", "clear":
		why := unknownf("what %s does", name)
		p.exposed(arg(0), why, false)
		return why
	}
	return tuple{}
}

func (p *Program) length(v Value, what string) Value {
	switch v := v.(type) {
	case Text:
		return intValue(len(v.S))
	case *Slice:
		switch {
		case what != "len" && v.Type.under().kind != kindArray:
			return unknownf("the capacity of a slice")
		case v.Open == nil:
			return intValue(len(v.Elems))
		}
		return v.Open
	case *Map:
		if v.Open != nil {
			return v.Open
		}
		entries := v.Entries()
		for _, e := range entries {
			if e.Maybe != nil {
				return e.Maybe
			}
		}
		return intValue(len(entries))
	case Nil:
		return intValue(0)
	}
	return firstUnknown(v)
}

// appendTo returns what append does. Where there is no room for sure, the
// elements are copied. Where there may be room, two slices may or may not have
// the same elements: see grown.
func (p *Program) appendTo(env *scope, e *ast.CallExpr) Value {
	if len(e.Args) == 0 {
		return unknownf("append")
	}
	var more []*Cell
	var open *Unknown
	sure := 0 // of more, if open
	first := p.eval(env, e.Args[0])
	var typ *Type
	switch s := first.(type) {
	case *Slice:
		typ = s.Type
	case Nil:
		typ = s.Type
	}
	var elem *Type
	if under := typ.under(); under.kind == kindSlice {
		elem = under.elem
	}
	for i, a := range e.Args[1:] {
		v := p.eval(env, a)
		if e.Ellipsis == token.NoPos || i < len(e.Args)-2 {
			more = append(more, &Cell{convertTo(copyOf(v), elem), a})
			continue
		}
		switch s := v.(type) {
		case *Slice:
			for _, c := range s.Elems {
				more = append(more, &Cell{copyOf(c.Get()), c.Node})
			}
			open, sure = s.Open, s.sure+i
			if typ == nil {
				typ = s.Type
			}
		case Nil:
			if typ == nil {
				typ = s.Type
			}
		case Text:
			more = append(more, byteCells(s.S)...)
		default:
			open, sure = mix(firstUnknown(v), v), len(more)
		}
	}
	out := &Slice{Type: typ, Open: open, roomy: true, sure: sure}
	switch s := first.(type) {
	case *Slice:
		if len(more) == 0 && open == nil {
			return s
		}
		if s.Open != nil {
			out.Open, out.sure = s.Open, s.sure
		} else {
			out.sure += len(s.Elems)
		}
		out.Elems = p.grown(s, len(more), e.Args[0] == p.dropped)
		p.grow(s, more)
	case Nil:
		if len(more) == 0 && open == nil {
			return first
		}
	default:
		return mix(firstUnknown(first), append([]Value{first}, values(more)...)...)
	}
	out.Elems = append(out.Elems, more...)
	p.charge(len(out.Elems))
	if len(out.Elems) > maxElems {
		panic(stopping{"a slice grows beyond reason at " + p.Fset.Position(e.Pos()).String()})
	}
	return out
}

func values(cells []*Cell) []Value {
	list := make([]Value, len(cells))
	for i, c := range cells {
		list[i] = c.Get()
	}
	return list
}

// grown returns the elements of s in a slice that has n more behind them;
// dropped is set if the variable with s gets that slice.
func (p *Program) grown(s *Slice, n int, dropped bool) []*Cell {
	room := make([]*Cell, len(s.Elems), len(s.Elems)+n)
	if dropped && s.roomy && !s.held && s.tail == nil && len(s.behind) == 0 {
		copy(room, s.Elems) // the old slice is about to be dropped
		return room
	}
	for i, c := range s.Elems {
		room[i] = &Cell{copyOf(c.val), c.Node}
	}
	if !s.roomy && len(s.behind) == 0 {
		return room
	}
	// It is not followed which of them share their elements: from now on
	// those of the old one may change whenever the new one's do.
	why := unknownf("whether two slices share their elements")
	for _, c := range s.behind {
		p.expose(c, mix(why, c.val))
	}
	for i, c := range s.Elems {
		p.twin(c, room[i])
	}
	return room
}

// tail is what was appended behind the elements of slices with the same end.
type tail struct{ cells []*Cell }

// grow notes that cells were appended to s: those that were appended to it
// before may be the same ones.
func (p *Program) grow(s *Slice, cells []*Cell) {
	if !s.roomy {
		return
	}
	if s.tail == nil {
		s.tail = &tail{}
	}
	why := unknownf("whether two slices share their elements")
	for _, c := range s.tail.cells {
		p.expose(c, mix(why, c.val))
	}
	if len(s.tail.cells) > 0 {
		for _, c := range cells {
			p.expose(c, mix(why, c.val))
		}
	}
	s.tail.cells = append(s.tail.cells, cells...)
}

// twin notes that two variables may be the same one: what is assigned to one
// makes the other unknown.
func (p *Program) twin(a, b *Cell) {
	if p.twins == nil {
		p.twins = map[*Cell][]*Cell{}
	}
	p.twins[a] = append(p.twins[a], b)
	p.twins[b] = append(p.twins[b], a)
	switch x := a.val.(type) {
	case *Struct:
		if y, ok := b.val.(*Struct); ok {
			for _, name := range x.Fields() {
				p.twin(x.Field(name), y.Field(name))
			}
		}
	case *Slice:
		if y, ok := b.val.(*Slice); ok && x.Type.under().kind == kindArray {
			for i := range min(len(x.Elems), len(y.Elems)) {
				p.twin(x.Elems[i], y.Elems[i])
			}
		}
	}
}

// maxElems bounds the slices that are made.
const maxElems = 1 << 20

func (p *Program) makeValue(env *scope, e *ast.CallExpr) Value {
	if len(e.Args) == 0 {
		return unknownf("make")
	}
	t := p.typeOf(env, e.Args[0])
	switch t.under().kind {
	case kindMap:
		return &Map{Type: t}
	case kindSlice:
		s := &Slice{Type: t}
		if len(e.Args) > 1 {
			n, ok := Int(p.eval(env, e.Args[1]))
			if !ok || n < 0 || n > maxElems {
				return unknownf("the length of a slice")
			}
			for range n {
				s.Elems = append(s.Elems, &Cell{val: t.under().elem.zero()})
			}
		}
		s.roomy = len(e.Args) > 2
		return s
	}
	return unknownf("%s", p.show(e))
}

// builtins are the functions that the language declares.
var builtins = map[string]bool{
	"append": true, "cap": true, "clear": true, "copy": true, "delete": true, "len": true, "make": true,
	"max": true, "min": true, "new": true, "panic": true, "print": true, "println": true, "recover": true,
}
