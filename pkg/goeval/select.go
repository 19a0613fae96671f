package goeval

import (
	"go/ast"
	"go/constant"
)

func (p *Program) selector(env *scope, e *ast.SelectorExpr) Value {
	v, _, _ := p.selected(env, e)
	return v
}

// selected returns what e denotes, and what it is selected from: the value, and
// the variable if that is known.
func (p *Program) selected(env *scope, e *ast.SelectorExpr) (v, x Value, c *Cell) {
	if v := p.members[e]; v != nil {
		return v, nil, nil
	}
	if c = p.simpleCell(env, e.X); c != nil {
		p.step(e.X)
		x = c.Get()
	} else {
		x = p.eval(env, e.X)
	}
	pkg, ok := x.(pkgValue)
	if !ok {
		v = p.selectFrom(x, e)
		_, isStruct := x.(*Struct)
		if fn, ok := v.(*Func); ok && isStruct && fn.bound && c != nil && fn.self == x && wantsPointer(fn) {
			fn.self = &Pointer{c}
		}
		return v, x, c
	}
	return p.exported(pkg, e), x, nil
}

// simpleCell returns the variable that an expression without effects denotes,
// if it is one that methods may be called on.
func (p *Program) simpleCell(env *scope, expr ast.Expr) *Cell {
	switch e := expr.(type) {
	case *ast.Ident:
		for s := env; s != nil && s.many == nil; s = s.parent {
			if c := s.get(e.Name); c != nil {
				return c
			}
		}
		p.evalIdent(env, e)
		return p.static[e]
	case *ast.ParenExpr:
		return p.simpleCell(env, e.X)
	case *ast.SelectorExpr, *ast.IndexExpr, *ast.StarExpr:
		if !addressable(expr) {
			return nil
		}
		c, _ := p.cellIn(env, expr)
		return c
	}
	return nil
}

// addressable reports whether an expression may denote a variable, and
// evaluating it has no effect.
func addressable(expr ast.Expr) bool {
	switch e := expr.(type) {
	case *ast.Ident:
		return true
	case *ast.ParenExpr:
		return addressable(e.X)
	case *ast.SelectorExpr:
		return addressable(e.X)
	case *ast.StarExpr:
		return addressable(e.X)
	case *ast.IndexExpr:
		switch e.Index.(type) {
		case *ast.Ident, *ast.BasicLit:
			return addressable(e.X)
		}
	}
	return false
}

// exported returns what a package has under a name.
func (p *Program) exported(pkg pkgValue, e *ast.SelectorExpr) Value {
	v, ok := p.member(pkg.pkg, e.Sel.Name)
	if !ok {
		v = standard(pkg.pkg.Path, e.Sel.Name)
	}
	switch v.(type) {
	case nil:
		return unknownf("%s.%s, which is not at hand", pkg.pkg.Path, e.Sel.Name)
	case *Func, typeValue:
		if d := pkg.pkg.decls[e.Sel.Name]; d.fn != nil || d.spec == nil || isTypeSpec(d) {
			p.members[e] = v // nothing can be assigned to it
		}
	}
	return v
}

func isTypeSpec(d decl) bool { _, ok := d.spec.(*ast.TypeSpec); return ok }

// selectFrom returns a field or a bound method of x.
func (p *Program) selectFrom(x Value, e *ast.SelectorExpr) Value {
	name := e.Sel.Name
	switch v := x.(type) {
	case *Unknown:
		return v
	case Nil:
		return unknownf("%s of nil", p.show(e))
	case typeValue: // a method expression
		if fn := v.t.method(name); fn != nil {
			return fn
		}
		return unknownf("%s", p.show(e))
	case *Pointer:
		if s, ok := v.To.Get().(*Struct); ok {
			return s.member(name, v)
		}
		if u, ok := v.To.Get().(*Unknown); ok {
			return u
		}
	case *Struct:
		return v.member(name, v)
	case Text, Truth, Number:
		if fn := basicType(v).method(name); fn != nil {
			return fn.bind(v)
		}
	}
	return unknownf("%s", p.show(e))
}

// maxEmbedding bounds how deep embedded structs are looked into: in what is
// not valid Go they may go round in a circle.
const maxEmbedding = 20

// find returns a field of s, or of what is embedded in it, or nil.
func (s *Struct) find(name string) *Cell {
	if c := s.fields[name]; c != nil {
		return c
	}
	c, _ := s.lookup(name, nil)
	return c
}

// member returns a field or a bound method of s, or of what is embedded in it;
// self is s or the pointer to it.
func (s *Struct) member(name string, self Value) Value {
	c, fn := s.fields[name], (*Func)(nil)
	if c == nil {
		c, fn = s.lookup(name, self)
	}
	switch {
	case c != nil:
		return c.Get()
	case fn != nil:
		return fn
	}
	return mix(unknownf("%s in %s", name, s.Type.Name()), self)
}

// lookup looks for a name in s, and then, level by level, in what is embedded;
// what is there twice, or behind something that is not at hand, is not found.
func (s *Struct) lookup(name string, self Value) (c *Cell, fn *Func) {
	type part struct {
		s    *Struct
		self Value
		typ  *Type
	}
	level := []part{{s, self, s.Type}}
	for depth := 0; depth < maxEmbedding && len(level) > 0 && len(level) < 1000; depth++ {
		found := 0
		var next []part
		for _, x := range level {
			if m := x.typ.method(name); m != nil {
				fn = m.bind(x.self)
				found++
				continue
			}
			if x.s == nil || x.s.Type == nil || x.s.Type.under().fields == nil {
				return nil, nil
			}
			if has, _ := x.s.HasField(name); has {
				c = x.s.Field(name)
				found++
				continue
			}
			for _, f := range x.s.Type.under().fields {
				if f.embedded {
					in := part{typ: f.typ, self: &Pointer{x.s.Field(f.name)}}
					v := x.s.Field(f.name).Get()
					if ptr, ok := v.(*Pointer); ok {
						in.self, v = ptr, ptr.To.Get()
					}
					in.s, _ = v.(*Struct)
					next = append(next, in)
				}
			}
		}
		if found > 0 {
			if found > 1 {
				return nil, nil
			}
			return c, fn
		}
		level = next
	}
	return nil, nil
}

// method returns a method of t, not bound, or nil.
func (t *Type) method(name string) *Func {
	for i := 0; t != nil && t.kind == kindPointer && t.base == nil && i < 10; i++ {
		t = t.elem
	}
	if t == nil || t.pkg == nil {
		return nil
	}
	d := t.pkg.methods[t.name][name]
	if d == nil {
		return nil
	}
	return &Func{Name: t.name + "." + name, Type: d.Type, Body: d.Body, recv: d.Recv, env: t.pkg.decls[t.name+"."+name].file, pkg: t.pkg}
}

func (f *Func) bind(self Value) *Func {
	f.self, f.bound = self, true
	return f
}

// cellIn returns the variable that an expression denotes; nil if that is not
// known, and then what it may lie in.
func (p *Program) cellIn(env *scope, expr ast.Expr) (c *Cell, in Value) {
	switch e := ast.Unparen(expr).(type) {
	case *ast.Ident:
		return p.lookupCell(env, e.Name), nil
	case *ast.StarExpr:
		x := p.eval(env, e.X)
		if ptr, ok := x.(*Pointer); ok {
			return ptr.To, nil
		}
		return nil, x
	case *ast.SelectorExpr:
		x := p.eval(env, e.X)
		if pkg, ok := x.(pkgValue); ok {
			p.load(pkg.pkg)
			return p.packageName(pkg.pkg, e.Sel.Name), nil
		}
		from := x
		if ptr, ok := x.(*Pointer); ok {
			x = ptr.To.Get()
		}
		if s, ok := x.(*Struct); ok {
			if c := s.find(e.Sel.Name); c != nil {
				return c, nil
			}
			if s.Type == nil { // of a type that is not at hand
				return s.Field(e.Sel.Name), nil
			}
		}
		return nil, from
	case *ast.IndexExpr:
		x := p.eval(env, e.X)
		return p.elementOf(env, x, e), x
	}
	return nil, nil
}

// elementOf returns the element of x, a slice or an array, that e denotes, or
// nil if that is not known.
func (p *Program) elementOf(env *scope, x Value, e *ast.IndexExpr) *Cell {
	i, known := Int(p.eval(env, e.Index))
	if ptr, ok := x.(*Pointer); ok {
		x = ptr.To.Get() // to an array
	}
	s, ok := x.(*Slice)
	switch {
	case !ok || !known:
	case s.Open == nil && (i < 0 || i >= int64(len(s.Elems))):
		p.raise(e, "index out of range")
	case i >= 0 && i < int64(len(s.Elems)) && (s.Open == nil || i < int64(s.sure)):
		return s.Elems[i]
	}
	return nil
}

func (p *Program) index(env *scope, e *ast.IndexExpr) Value {
	x := p.eval(env, e.X)
	switch v := x.(type) {
	case *Map:
		found, _ := p.mapIndex(v, p.eval(env, e.Index))
		return found
	case *Slice:
		i, ok := Int(p.eval(env, e.Index))
		switch {
		case !ok:
			return mix(unknownf("%s", p.show(e)), v)
		case v.Open == nil && (i < 0 || i >= int64(len(v.Elems))):
			p.raise(e, "index out of range")
		case i >= 0 && i < int64(len(v.Elems)) && (v.Open == nil || i < int64(v.sure)):
			return v.Elems[i].Get()
		}
		return mix(firstUnknown(v.Open), v)
	case *Pointer:
		if c := p.elementOf(env, v, e); c != nil {
			return c.Get()
		}
		return mix(unknownf("%s", p.show(e)), v)
	case Text:
		if i, ok := Int(p.eval(env, e.Index)); ok {
			if i < 0 || i >= int64(len(v.S)) {
				p.raise(e, "index out of range")
			}
			return Number{constant.MakeInt64(int64(v.S[i])), byteType}
		}
	case *Func, typeValue:
		return v // an instance
	case *Unknown:
		return v
	case Nil:
		switch u := v.Type.under(); u.kind {
		case kindMap:
			p.eval(env, e.Index)
			return u.elem.zero()
		case kindSlice:
			p.raise(e, "index out of range")
		}
		return unknownf("%s of nil", p.show(e))
	}
	return unknownf("%s", p.show(e))
}

// mapIndex returns m[key], and whether it is there.
func (p *Program) mapIndex(m *Map, key Value) (v, found Value) {
	k := m.keyOf(key)
	if k.kind == 0 {
		u := mix(firstUnknown(key), m)
		return u, u
	}
	e := m.entries[k]
	switch {
	case m.Open != nil:
		u := mix(m.Open, m)
		return u, u
	case e == nil:
		if m.Type == nil {
			return unknownf("the zero value of a map whose type is not at hand"), boolValue(false)
		}
		return m.Type.under().elem.zero(), boolValue(false)
	case e.Maybe != nil:
		u := mix(e.Maybe, m)
		return u, u
	}
	return e.Cell.Get(), boolValue(true)
}

func (p *Program) slice(env *scope, e *ast.SliceExpr) Value {
	x := p.eval(env, e.X)
	bound := func(expr ast.Expr, otherwise int64) (int64, bool) {
		if expr == nil {
			return otherwise, true
		}
		return Int(p.eval(env, expr))
	}
	length := int64(0)
	text, isText := String(x)
	s, isSlice := x.(*Slice)
	switch {
	case isText:
		length = int64(len(text))
	case isSlice && s.Open == nil:
		length = int64(len(s.Elems))
	default:
		return mix(firstUnknown(x), x)
	}
	low, ok1 := bound(e.Low, 0)
	high, ok2 := bound(e.High, length)
	switch {
	case !ok1 || !ok2:
		return mix(unknownf("%s", p.show(e)), x)
	case low < 0 || high < low || high > length:
		p.raise(e, "slice bounds out of range")
	}
	if isText {
		return Text{text[low:high], x.(Text).Type}
	}
	typ := s.Type
	if under := typ.under(); under.kind == kindArray {
		typ = &Type{kind: kindSlice, elem: under.elem}
	}
	out := &Slice{Type: typ, Elems: s.Elems[low:high:high], held: true}
	if e.Max == nil {
		out.roomy = s.roomy || high < length
		out.behind = append(append(out.behind, s.Elems[high:]...), s.behind...)
	} else {
		p.eval(env, e.Max)
		out.roomy = true
		out.behind = append(append(out.behind, s.Elems[high:]...), s.behind...)
	}
	s.held = true
	if s.roomy && high == length {
		if s.tail == nil {
			s.tail = &tail{}
		}
		out.tail = s.tail
	}
	return out
}
