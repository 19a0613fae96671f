package goeval

import (
	"go/ast"
	"go/constant"
	"unicode/utf8"
)

// needsType reports whether the type of a variable that v is assigned to
// matters to it.
func needsType(v Value) bool {
	_, isNil := v.(Nil)
	return isNil || untyped(v)
}

// untyped reports whether v is an untyped constant.
func untyped(v Value) bool {
	switch v := v.(type) {
	case Text:
		return v.Type == nil
	case Truth:
		return v.Type == nil
	case Number:
		return v.Type == nil
	}
	return false
}

// convert converts v to a type.
func (p *Program) convert(t *Type, v Value, e *ast.CallExpr) Value {
	u := t.under().kind
	switch v := v.(type) {
	case Text:
		switch u {
		case kindString:
			return Text{v.S, t}
		case kindInterface:
			return withDefault(v)
		case kindSlice:
			switch t.under().elem.under() {
			case runeType:
				return &Slice{Type: t, Elems: runeCells(v.S)}
			case byteType:
				return &Slice{Type: t, Elems: byteCells(v.S)}
			}
		}
	case Truth:
		switch u {
		case kindBool:
			return Truth{v.B, t}
		case kindInterface:
			return withDefault(v)
		}
	case Number:
		switch u {
		case kindString:
			if n, ok := Int(v); ok {
				if int64(rune(n)) != n {
					n = utf8.RuneError
				}
				return Text{string(rune(n)), t}
			}
		case kindInt:
			if n := constant.ToInt(v.V); n.Kind() == constant.Int && v.Type != unknownType {
				return number(n, t)
			}
		case kindFloat:
			return number(v.V, t)
		case kindInterface:
			return withDefault(v)
		}
	case *Slice:
		switch {
		case u == kindString:
			return bytesText(v, t)
		case u == kindSlice && v.Type.under().kind == kindSlice:
			c := *v
			c.Type = t
			return &c
		}
		return mix(unknownf("%s", p.show(e)), v)
	case *Struct:
		switch {
		case u == kindStruct && v.Type != nil:
			c := copyOf(v).(*Struct)
			c.Type = t
			return c
		case u == kindInterface:
			return copyOf(v)
		}
		return mix(unknownf("%s", p.show(e)), v)
	case *Pointer:
		s, ok := v.To.Get().(*Struct)
		if u == kindInterface || u == kindPointer && ok && s.Type == t.under().elem {
			return v
		}
		return mix(unknownf("%s", p.show(e)), v)
	case Nil:
		return convertTo(Nil{v.Type}, t)
	case *Map:
		if u == kindMap || u == kindInterface {
			return v
		}
		return mix(unknownf("%s", p.show(e)), v)
	case *Func:
		return v
	}
	return p.reason(v, e)
}

func runeCells(text string) []*Cell {
	var cells []*Cell
	for _, r := range text {
		cells = append(cells, &Cell{val: Number{constant.MakeInt64(int64(r)), runeType}})
	}
	return cells
}

func byteCells(text string) []*Cell {
	cells := make([]*Cell, len(text))
	for i, c := range []byte(text) {
		cells[i] = &Cell{val: Number{constant.MakeInt64(int64(c)), byteType}}
	}
	return cells
}

// bytesText returns string(s) of a slice of bytes or runes.
func bytesText(s *Slice, t *Type) Value {
	text := make([]byte, 0, len(s.Elems))
	elem := s.Type.under().elem.under()
	runes := elem == runeType
	if !runes && elem != byteType {
		return unknownf("the text of a slice")
	}
	for _, c := range s.Elems {
		n, ok := Int(c.Get())
		switch {
		case !ok || s.Open != nil:
			return unknownf("the text of a slice")
		case runes:
			text = utf8.AppendRune(text, rune(n))
		case n < 0 || n > 255:
			return unknownf("the text of a slice")
		default:
			text = append(text, byte(n))
		}
	}
	return Text{string(text), t}
}

// convertTo gives an untyped constant the type of where it goes.
func convertTo(v Value, typ *Type) Value {
	if typ == nil {
		return v
	}
	switch typ.under().kind {
	case kindBool, kindInt, kindFloat, kindString:
	case kindInterface:
		if n, ok := v.(Nil); ok {
			if n.Type != nil && n.Type.under().kind != kindInterface {
				return unknownf("an interface that holds nil")
			}
			return Nil{typ}
		}
		return withDefault(v)
	case kindUnknown:
		return vague(v)
	default:
		if n, ok := v.(Nil); ok && n.Type == nil {
			return Nil{typ}
		}
		return v
	}
	switch b := v.(type) {
	case Text:
		if b.Type == nil {
			return Text{b.S, typ}
		}
	case Truth:
		if b.Type == nil {
			return Truth{b.B, typ}
		}
	case Number:
		if b.Type == nil {
			return number(b.V, typ)
		}
	}
	return v
}

// vague gives an untyped constant some type that is not known.
func vague(v Value) Value {
	switch b := v.(type) {
	case Text:
		if b.Type == nil {
			return Text{b.S, unknownType}
		}
	case Truth:
		if b.Type == nil {
			return Truth{b.B, unknownType}
		}
	case Number:
		if b.Type == nil {
			return Number{b.V, unknownType}
		}
	}
	return v
}

// withDefault gives an untyped constant the type that a variable of it has.
func withDefault(v Value) Value {
	switch b := v.(type) {
	case Text:
		if b.Type == nil {
			return Text{b.S, stringType}
		}
	case Truth:
		if b.Type == nil {
			return Truth{b.B, basicTypes["bool"]}
		}
	case Number:
		switch {
		case b.Type != nil:
		case b.V.Kind() == constant.Int:
			return number(b.V, intType)
		default:
			return number(b.V, basicTypes["float64"])
		}
	}
	return v
}

// basicType returns the type of a string, bool or number; nil if it is an
// untyped constant, or something else.
func basicType(v Value) *Type {
	switch v := v.(type) {
	case Text:
		return v.Type
	case Truth:
		return v.Type
	case Number:
		return v.Type
	}
	return nil
}
