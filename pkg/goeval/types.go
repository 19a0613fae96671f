package goeval

import (
	"go/ast"
	"go/constant"
)

// kind is the kind of a type.
type kind int

const (
	kindUnknown kind = iota
	kindBool
	kindInt
	kindFloat
	kindString
	kindStruct
	kindPointer
	kindSlice
	kindArray
	kindMap
	kindFunc
	kindInterface
	kindChan
)

// Type is a type, as far as it matters to values.
type Type struct {
	kind   kind
	name   string   // of a declared type
	pkg    *Package // that declares it
	elem   *Type    // of a pointer, slice, array or map
	key    *Type    // of a map
	length int      // of an array; -1 for [...], and where it is not known
	bits   int      // of an int of a certain size, or 0
	signed bool     // of an int
	fields []field  // of a struct; never nil there
	base   *Type    // of a declared type: what it is declared as
}

// field is a field of a struct.
type field struct {
	name     string
	typ      *Type
	embedded bool
}

// Name returns the name of a declared type, or "".
func (t *Type) Name() string {
	if t == nil {
		return ""
	}
	return t.name
}

// under returns the type that a declared one is declared as.
func (t *Type) under() *Type {
	for i := 0; t != nil && t.base != nil && i < 100; i++ {
		t = t.base
	}
	if t == nil {
		return unknownType
	}
	return t
}

var (
	unknownType = &Type{}
	anyType     = &Type{kind: kindInterface}
	errorType   = &Type{kind: kindInterface} // of the text of an error
	stringType  = &Type{kind: kindString}
	intType     = &Type{kind: kindInt, bits: 64, signed: true}
	byteType    = &Type{kind: kindInt, bits: 8}
	runeType    = &Type{kind: kindInt, bits: 32, signed: true}
	textsType   = &Type{kind: kindSlice, elem: stringType}
	restType    = &Type{kind: kindSlice, elem: unknownType} // of the arguments behind the last parameter
)

// basicTypes are the types that the language declares.
var basicTypes = map[string]*Type{
	"bool": {kind: kindBool}, "string": stringType, "any": anyType, "error": anyType,
	"byte": byteType, "rune": runeType, "uintptr": {kind: kindInt, bits: 64},
	"int": intType, "int8": {kind: kindInt, bits: 8, signed: true}, "int16": {kind: kindInt, bits: 16, signed: true},
	"int32": runeType, "int64": {kind: kindInt, bits: 64, signed: true},
	"uint": {kind: kindInt, bits: 64}, "uint8": byteType, "uint16": {kind: kindInt, bits: 16}, "uint32": {kind: kindInt, bits: 32}, "uint64": {kind: kindInt, bits: 64},
	"float32": {kind: kindFloat, bits: 32}, "float64": {kind: kindFloat},
}

// zero returns the zero value of t.
func (t *Type) zero() Value {
	switch u := t.under(); u.kind {
	case kindBool:
		return Truth{false, t}
	case kindInt, kindFloat:
		return Number{constant.MakeInt64(0), t}
	case kindString:
		return Text{"", t}
	case kindStruct:
		return &Struct{Type: t}
	case kindArray:
		if u.length < 0 || u.size(0) > maxArray {
			return unknownf("the length of an array")
		}
		s := &Slice{Type: t, Elems: make([]*Cell, u.length)}
		for i := range s.Elems {
			s.Elems[i] = &Cell{val: u.elem.zero()}
		}
		return s
	case kindUnknown:
		return unknownf("a type that is not at hand")
	}
	return Nil{t}
}

// size returns how many cells a zero value of t has; more than maxArray stands
// for any number above.
func (t *Type) size(depth int) int64 {
	u := t.under()
	switch {
	case u.kind != kindArray:
		return 1
	case u.length < 0 || depth > 10:
		return maxArray + 1
	}
	return min(int64(u.length)*u.elem.size(depth+1), maxArray+1)
}

// typeOf returns the type that an expression denotes.
func (p *Program) typeOf(env *scope, expr ast.Expr) *Type {
	switch e := expr.(type) {
	case nil:
		return unknownType
	case *ast.ParenExpr:
		return p.typeOf(env, e.X)
	case *ast.StarExpr:
		return &Type{kind: kindPointer, elem: p.typeOf(env, e.X)}
	case *ast.ArrayType:
		if e.Len == nil {
			return &Type{kind: kindSlice, elem: p.typeOf(env, e.Elt)}
		}
		return &Type{kind: kindArray, elem: p.typeOf(env, e.Elt), length: p.arrayLength(env, e.Len)}
	case *ast.Ellipsis:
		return &Type{kind: kindSlice, elem: p.typeOf(env, e.Elt)}
	case *ast.MapType:
		return &Type{kind: kindMap, key: p.typeOf(env, e.Key), elem: p.typeOf(env, e.Value)}
	case *ast.FuncType:
		return &Type{kind: kindFunc}
	case *ast.InterfaceType:
		return anyType
	case *ast.ChanType:
		return &Type{kind: kindChan}
	case *ast.StructType:
		return p.structType(env, e)
	case *ast.Ident, *ast.SelectorExpr:
		if t, ok := p.lookupType(env, expr); ok {
			return t
		}
	}
	return unknownType
}

// arrayLength returns the length of an array, or -1 if it is not known.
func (p *Program) arrayLength(env *scope, expr ast.Expr) int {
	if _, dots := expr.(*ast.Ellipsis); dots {
		return -1
	}
	n, ok := Int(p.eval(env, expr))
	if !ok || n < 0 || n > maxArray {
		return -1
	}
	return int(n)
}

// maxArray bounds the arrays that are made.
const maxArray = 1 << 16

func (p *Program) structType(env *scope, e *ast.StructType) *Type {
	t := &Type{kind: kindStruct, fields: []field{}}
	for _, f := range e.Fields.List {
		typ := p.typeOf(env, f.Type)
		for _, name := range f.Names {
			t.fields = append(t.fields, field{name: name.Name, typ: typ})
		}
		if len(f.Names) == 0 {
			t.fields = append(t.fields, field{name: embeddedName(f.Type), typ: typ, embedded: true})
		}
	}
	return t
}

func embeddedName(expr ast.Expr) string {
	switch e := expr.(type) {
	case *ast.StarExpr:
		return embeddedName(e.X)
	case *ast.SelectorExpr:
		return e.Sel.Name
	case *ast.Ident:
		return e.Name
	}
	return ""
}

// lookupType returns the type that a name stands for, if it is one.
func (p *Program) lookupType(env *scope, expr ast.Expr) (*Type, bool) {
	var v Value
	switch e := expr.(type) {
	case *ast.Ident:
		v, _ = p.lookup(env, e.Name)
	case *ast.SelectorExpr:
		x, ok := e.X.(*ast.Ident)
		if !ok {
			return nil, false
		}
		pv, _ := p.lookup(env, x.Name)
		pkg, ok := pv.(pkgValue)
		if !ok {
			return nil, false
		}
		if v, ok = p.member(pkg.pkg, e.Sel.Name); !ok {
			v = standard(pkg.pkg.Path, e.Sel.Name)
		}
	}
	t, ok := v.(typeValue)
	return t.t, ok
}

// declaredType returns the type of a declaration in pkg, which may refer to
// itself.
func (p *Program) declaredType(env *scope, pkg *Package, spec *ast.TypeSpec) *Type {
	t := &Type{name: spec.Name.Name, pkg: pkg}
	if pkg != nil && env == pkg.scope {
		pkg.types[spec.Name.Name] = t // before what it is declared as, which may name it
	}
	t.base = p.typeOf(env, spec.Type)
	return t
}
