package buildconfig

import (
	"go/ast"

	"gobuild/pkg/goeval"
)

// Record is a host type or a builder type in a Source.
type Record struct {
	Key string
	// KeyNode is the expression of the key in the table, of a builder type that
	// of its name, or nil.
	KeyNode ast.Expr
	// Lit is the literal with the fields, or nil if something else made it.
	Lit *ast.CompositeLit
	// Call is the outermost call that added it, or nil.
	Call *ast.CallExpr
	// Maybe says what it hangs on whether the record is there at all; empty if
	// it certainly is.
	Maybe string
	// Rejected is set for a builder type that the source adds, but whose
	// addition panics: the coordinator does not start with it.
	Rejected bool

	src   *Source
	value goeval.Value
	s     *goeval.Struct
}

// nameNode takes for the key of a builder type the name in its literal.
func (r *Record) nameNode() {
	if r.s != nil && r.s.Written["Name"] != nil {
		r.KeyNode = r.s.Written["Name"].Node
	}
}

// derive fills in what the init function does where the source has none
// (build protocol, section 12.1).
func (h *Record) derive() {
	if arch, ok := h.String("HostArch"); ok && arch == "" {
		h.s.Field("HostArch").Fill(goeval.Text{S: archOf(h.Key)})
	}
	if v, ok := h.String("HostType"); ok && v == "" {
		h.s.Field("HostType").Fill(goeval.Text{S: h.Key})
	}
	if v, ok := h.String("GoBootstrap"); ok && v == "" {
		if c := h.src.prog.Var("GoBootstrap"); c != nil {
			h.s.Field("GoBootstrap").Fill(c.Get())
		}
	}
}

// Known reports whether the fields of r are known at all.
func (r *Record) Known() bool { return r.s != nil }

// Has reports whether records of this kind have the field; known is false if
// their type is not in the source.
func (r *Record) Has(field string) (has, known bool) {
	if r.s == nil {
		return false, false
	}
	return r.s.HasField(field)
}

// Fields returns the names of r's fields in the order of their declaration.
func (r *Record) Fields() []string {
	if r.s == nil {
		return nil
	}
	return r.s.Fields()
}

// Value returns what a field is worth.
func (r *Record) Value(field string) goeval.Value {
	if r.s == nil {
		if u, ok := r.value.(*goeval.Unknown); ok {
			return u
		}
		return &goeval.Unknown{Why: "the record is not understood"}
	}
	if has, known := r.s.HasField(field); known && !has {
		return &goeval.Unknown{Why: "there is no field " + field}
	}
	return r.s.Field(field).Get()
}

// String returns the text of a field, if it is known.
func (r *Record) String(field string) (string, bool) { return goeval.String(r.Value(field)) }

// Bool returns a field that is true or false, if it is known.
func (r *Record) Bool(field string) (value, ok bool) { return goeval.Bool(r.Value(field)) }

// Is reports whether a field is known to be true.
func (r *Record) Is(field string) bool { v, ok := r.Bool(field); return v && ok }

// IsNot reports whether a field is known to be false.
func (r *Record) IsNot(field string) bool { v, ok := r.Bool(field); return !v && ok }

// Int returns the number in a field, if it is known.
func (r *Record) Int(field string) (int64, bool) { return goeval.Int(r.Value(field)) }

// Element is an element of a field that is a slice.
type Element struct {
	Value goeval.Value
	Node  ast.Expr // nil if it does not stand in the source
}

// String returns the text of the element, if it is known.
func (e Element) String() (string, bool) { return goeval.String(e.Value) }

// List returns the elements of a field that is a slice; all is false if there
// may be others.
func (r *Record) List(field string) (list []Element, all bool) {
	switch v := r.Value(field).(type) {
	case goeval.Nil:
		return nil, true
	case *goeval.Slice:
		for _, c := range v.Elems {
			list = append(list, Element{c.Get(), c.Node})
		}
		return list, v.Open == nil
	}
	return nil, false
}

// IsNil reports whether a field is nil, if that is known.
func (r *Record) IsNil(field string) (isNil, known bool) {
	switch r.Value(field).(type) {
	case *goeval.Unknown:
		return false, false
	case goeval.Nil:
		return true, true
	}
	return false, true
}

// Written reports whether the literal of r sets the field.
func (r *Record) Written(field string) bool { return r.s != nil && r.s.Written[field] != nil }

// WrittenValue returns what the literal sets the field to; nil if it does not.
func (r *Record) WrittenValue(field string) goeval.Value {
	if !r.Written(field) {
		return nil
	}
	return r.s.Written[field].Get()
}

// Node returns the expression that the literal sets a field to, else that of
// the key, else the literal or the call that made r; nil if there is none.
func (r *Record) Node(field string) ast.Node {
	switch {
	case r.Written(field) && r.s.Written[field].Node != nil:
		return r.s.Written[field].Node
	case r.KeyNode != nil:
		return r.KeyNode
	case r.Lit != nil:
		return r.Lit
	case r.Call != nil:
		return r.Call
	}
	return nil
}

// KeyValue returns the pair NAME: VALUE of a field in r's literal, or nil.
func (r *Record) KeyValue(field string) *ast.KeyValueExpr {
	if r.Lit == nil {
		return nil
	}
	for _, e := range r.Lit.Elts {
		if kv, ok := e.(*ast.KeyValueExpr); ok {
			if id, ok := kv.Key.(*ast.Ident); ok && id.Name == field {
				return kv
			}
		}
	}
	return nil
}
