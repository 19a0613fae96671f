package goeval

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/token"
	"strconv"
	"strings"
)

// Value is what an expression is worth: one of *Unknown, Text, Truth, Number, Nil, *Struct,
// *Pointer, *Slice, *Map, *Func, or a kind that only the evaluator meets.
type Value interface{ value() }

// Unknown is a value that cannot be told from the source.
type Unknown struct {
	Why string // what it hangs on, such as "os.Getenv" or the package that is not at hand

	may []Value // what it may refer to, so that writing through it is seen there
}

// Text is a string. Of this and the two below, Type is nil for an untyped
// constant.
type Text struct {
	S    string
	Type *Type
}

// Truth is a bool.
type Truth struct {
	B    bool
	Type *Type
}

// Number is a number.
type Number struct {
	V    constant.Value
	Type *Type
}

// Nil is nil. Type is nil for one of no type.
type Nil struct{ Type *Type }

// Struct is a struct. It is copied where Go copies one.
type Struct struct {
	Type *Type // nil fields in it are zero values
	// Lit is the composite literal that made it, or nil; Calls are the calls
	// that were under way then, outermost first.
	Lit   *ast.CompositeLit
	Calls []*ast.CallExpr
	// Written are the fields as the literal set them, whatever was assigned
	// later.
	Written map[string]*Cell

	fields map[string]*Cell
}

// Pointer is a pointer to a variable.
type Pointer struct{ To *Cell }

// Slice is a slice or an array.
type Slice struct {
	Type  *Type
	Elems []*Cell
	// Open is set if there may be other elements.
	Open *Unknown

	// roomy is set if the backing array may have room behind the elements,
	// behind are those that are known there; held if another variable has the
	// slice too; tail is what was appended.
	roomy, held bool
	// sure is, if Open is set, how many elements are at the start for sure.
	sure   int
	behind []*Cell
	tail   *tail
}

// Map is a map. Its entries are in the order in which they were added.
type Map struct {
	Type *Type
	// Open is set if there may be entries that are not known, and those that
	// are known may have been replaced.
	Open *Unknown

	entries map[mapKey]*Entry
	order   []mapKey
}

// Entry is an entry of a map.
type Entry struct {
	Key  Value
	Node ast.Expr // of the key; nil if it was not added by source text
	Cell *Cell    // the value
	// Maybe is set if the entry may be missing, and says what that hangs on.
	Maybe *Unknown
}

// Func is a function, a method with its receiver, or a closure.
type Func struct {
	Name string         // "" for a function literal
	Type *ast.FuncType  // nil for a function of the standard library
	Body *ast.BlockStmt // nil likewise

	pkg    *Package
	env    *scope
	recv   *ast.FieldList
	self   Value // receiver, if bound
	bound  bool
	native nativeFunc
}

// Cell is a variable, a field or an element.
type Cell struct {
	val Value
	// Node is the expression whose value is there, or nil.
	Node ast.Expr
}

// nativeFunc is a function of the standard library.
type nativeFunc func(p *Program, args []Value, node ast.Node) Value

// Values that no variable holds.
type (
	tuple       []Value
	typeValue   struct{ t *Type }
	pkgValue    struct{ pkg *Package }
	builtinName string
)

func (*Unknown) value()    {}
func (Text) value()        {}
func (Truth) value()       {}
func (Number) value()      {}
func (Nil) value()         {}
func (*Struct) value()     {}
func (*Pointer) value()    {}
func (*Slice) value()      {}
func (*Map) value()        {}
func (*Func) value()       {}
func (tuple) value()       {}
func (typeValue) value()   {}
func (pkgValue) value()    {}
func (builtinName) value() {}

// Get returns the value in c; of a missing cell, Nil.
func (c *Cell) Get() Value {
	if c == nil || c.val == nil {
		return Nil{}
	}
	return c.val
}

func unknownf(format string, args ...any) *Unknown {
	return &Unknown{Why: fmt.Sprintf(format, args...)}
}

// hasRefs reports whether something can be reached through v.
func hasRefs(v Value) bool { return mix(noReason, v) != noReason }

var noReason = &Unknown{}

// mix returns why for what may be one of values: it remembers what these refer
// to.
func mix(why *Unknown, values ...Value) *Unknown {
	var may []Value
	for _, v := range values {
		switch v := v.(type) {
		case *Pointer, *Map, *Slice, *Struct, *Func:
			may = append(may, v)
		case *Unknown:
			if v != why && v.may != nil {
				may = append(may, v)
			}
		}
	}
	if may == nil {
		return why
	}
	if why.may != nil {
		may = append(may, why)
	}
	return &Unknown{why.Why, may}
}

// small are the whole numbers that are made most.
var small = func() (list [64]Value) {
	for i := range list {
		list[i] = Number{constant.MakeInt64(int64(i)), intType}
	}
	return list
}()

// intValue returns an int.
func intValue(n int) Value {
	if n >= 0 && n < len(small) {
		return small[n]
	}
	return Number{constant.MakeInt64(int64(n)), intType}
}

// untypedInt returns an untyped constant.
func untypedInt(n int) Value { return Number{V: constant.MakeInt64(int64(n))} }

// yes and no are the untyped bools.
var yes, no Value = Truth{B: true}, Truth{}

func boolValue(b bool) Value {
	if b {
		return yes
	}
	return no
}

// String returns the text of a string.
func String(v Value) (string, bool) {
	t, ok := v.(Text)
	return t.S, ok
}

// Bool returns a bool.
func Bool(v Value) (value, ok bool) {
	t, ok := v.(Truth)
	return t.B, ok
}

// Int returns a whole number.
func Int(v Value) (int64, bool) {
	n, ok := v.(Number)
	if !ok {
		return 0, false
	}
	whole := constant.ToInt(n.V)
	if whole.Kind() != constant.Int {
		return 0, false
	}
	return constant.Int64Val(whole)
}

// Fields returns the names of the fields of s that are set, or that its type
// has.
func (s *Struct) Fields() []string {
	var names []string
	if s.Type != nil && s.Type.under().fields != nil {
		for _, f := range s.Type.under().fields {
			names = append(names, f.name)
		}
		return names
	}
	for name := range s.fields {
		names = append(names, name)
	}
	return names
}

// Field returns the field called name; of one that nothing was assigned to,
// the zero value.
func (s *Struct) Field(name string) *Cell {
	if c := s.fields[name]; c != nil {
		return c
	}
	c := &Cell{val: s.zeroField(name)}
	if s.fields == nil {
		s.fields = map[string]*Cell{}
	}
	s.fields[name] = c
	return c
}

func (s *Struct) zeroField(name string) Value {
	if s.Type == nil || s.Type.under().fields == nil {
		return unknownf("the type of the struct")
	}
	for _, f := range s.Type.under().fields {
		if f.name == name {
			return f.typ.zero()
		}
	}
	return unknownf("there is no field %s in %s", name, s.Type.name)
}

// HasField reports whether the type of s has the field; known is false if the
// type is not at hand.
func (s *Struct) HasField(name string) (has, known bool) {
	if s.Type == nil || s.Type.under().fields == nil {
		return false, false
	}
	for _, f := range s.Type.under().fields {
		if f.name == name {
			return true, true
		}
	}
	return false, true
}

// IsSlice reports whether a field is declared as a slice.
func (s *Struct) IsSlice(name string) bool {
	if s.Type == nil {
		return false
	}
	for _, f := range s.Type.under().fields {
		if f.name == name {
			return f.typ.under().kind == kindSlice
		}
	}
	return false
}

// copyOf returns v as an assignment does: structs and arrays are copied.
func copyOf(v Value) Value {
	switch v := v.(type) {
	case *Struct:
		c := *v
		c.fields = make(map[string]*Cell, len(v.fields))
		for name, f := range v.fields {
			c.fields[name] = &Cell{copyOf(f.Get()), f.Node}
		}
		return &c
	case *Slice:
		if v.Type == nil || v.Type.under().kind != kindArray {
			v.held = true
			return v
		}
		c := *v
		c.Elems = make([]*Cell, len(v.Elems))
		for i, e := range v.Elems {
			c.Elems[i] = &Cell{copyOf(e.Get()), e.Node}
		}
		return &c
	}
	return v
}

// Entries returns the entries of m in the order in which they were added.
func (m *Map) Entries() []*Entry {
	if len(m.order) > len(m.entries) {
		m.compact()
	}
	list := make([]*Entry, 0, len(m.order))
	for _, key := range m.order {
		if e := m.entries[key]; e != nil {
			list = append(list, e)
		}
	}
	return list
}

// Entry returns the entry of a string key, or nil.
func (m *Map) Entry(key string) *Entry { return m.entries[mapKey{'s', key}] }

// mapKey is what equal keys of a map share; that of one that is not known has
// no kind.
type mapKey struct {
	kind byte
	text string
}

// keyOf is keyOf for a key of m: keys that are interfaces are not looked into.
func (m *Map) keyOf(v Value) mapKey {
	if m.Type != nil && m.Type.under().key.under().kind == kindInterface {
		return mapKey{}
	}
	return keyOf(v)
}

// keyOf returns the mapKey of v.
func keyOf(v Value) mapKey { return keyIn(v, 0) }

// maxNesting bounds how deep structs are looked into: in what is not valid Go
// they may hold themselves.
const maxNesting = 20

func keyIn(v Value, depth int) mapKey {
	if depth > maxNesting {
		return mapKey{}
	}
	switch v := v.(type) {
	case Text:
		if v.Type == errorType {
			return mapKey{}
		}
		return mapKey{'s', v.S}
	case Truth:
		return mapKey{'b', strconv.FormatBool(v.B)}
	case Number:
		return mapKey{'#', v.V.ExactString()}
	case Nil:
		return mapKey{'n', ""}
	case *Pointer:
		return mapKey{'p', fmt.Sprintf("%p", v.To)}
	case *Struct:
		var text strings.Builder
		for _, name := range v.Fields() {
			f := keyIn(v.Field(name).Get(), depth+1)
			if f.kind == 0 {
				return mapKey{}
			}
			fmt.Fprintf(&text, "%q:%c%q,", name, f.kind, f.text)
		}
		return mapKey{'t', text.String()}
	}
	return mapKey{}
}

// equal reports whether a == b; known is false if that cannot be told.
func equal(a, b Value) (eq, known bool) { return equalIn(a, b, 0) }

func equalIn(a, b Value, depth int) (eq, known bool) {
	if depth > maxNesting {
		return false, false
	}
	if x, y := basicType(a), basicType(b); x != nil && y != nil && x != y && x != unknownType && y != unknownType {
		return false, false // in interfaces they are unequal
	}
	switch x := a.(type) {
	case *Unknown:
		return false, false
	case Text:
		if x.Type == errorType && isKnown(b) {
			if _, isNil := b.(Nil); !isNil {
				return false, false // errors are told apart by where they are
			}
		}
		y, ok := b.(Text)
		return ok && x.S == y.S, ok || isKnown(b)
	case Truth:
		y, ok := b.(Truth)
		return ok && x.B == y.B, ok || isKnown(b)
	case Number:
		y, ok := b.(Number)
		return ok && constant.Compare(x.V, token.EQL, y.V), ok || isKnown(b)
	case Nil:
		switch y := b.(type) {
		case Nil:
			return true, true
		case *Unknown:
			return false, false
		case *Slice:
			return false, y.Open == nil || len(y.Elems) > 0
		}
		return false, true
	case *Pointer:
		if y, ok := b.(*Pointer); ok {
			return x.To == y.To, true
		}
		return false, isKnown(b)
	case *Struct:
		y, ok := b.(*Struct)
		if _, isNil := b.(Nil); isNil {
			return false, true
		}
		if !ok || x.Type != y.Type || x.Type == nil || x.Type.under().fields == nil {
			return false, false
		}
		eq, known := true, true
		for _, name := range x.Fields() {
			e, k := equalIn(x.Field(name).Get(), y.Field(name).Get(), depth+1)
			if k && !e {
				return false, true
			}
			eq, known = eq && e, known && k
		}
		return eq, known
	}
	if _, ok := b.(Nil); ok {
		return equalIn(b, a, depth+1)
	}
	return false, false
}

func isKnown(v Value) bool { _, ok := v.(*Unknown); return !ok }

// same reports whether two values that a variable may have are the same one,
// so that it does not matter which way was gone.
func same(a, b Value) bool {
	switch a.(type) {
	case Text, Truth, Number:
		eq, known := equal(a, b)
		return eq && known
	case Nil:
		_, ok := b.(Nil)
		return ok
	case tuple:
		return false
	}
	switch b.(type) {
	case Text, Truth, Number, Nil, tuple:
		return false
	}
	return a == b
}

// Fill gives c a value that the source leaves to somebody else to fill in.
func (c *Cell) Fill(v Value) { c.val = v }
