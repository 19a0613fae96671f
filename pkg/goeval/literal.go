package goeval

import (
	"go/ast"
	"go/constant"
	"go/token"
	"strconv"
)

func literal(e *ast.BasicLit) Value {
	if e.Kind == token.STRING {
		text, err := strconv.Unquote(e.Value)
		if err != nil {
			return unknownf("the literal %s", e.Value)
		}
		return Text{S: text}
	}
	v := constant.MakeFromLiteral(e.Value, e.Kind, 0)
	switch v.Kind() {
	case constant.Unknown:
		return unknownf("the literal %s", e.Value)
	}
	return Number{V: v}
}

// composite evaluates a composite literal; typ is its type where the literal
// leaves it out.
func (p *Program) composite(env *scope, lit *ast.CompositeLit, typ *Type) Value {
	if lit.Type != nil {
		typ = p.typeOf(env, lit.Type)
	}
	under := typ.under()
	switch under.kind {
	case kindPointer: // elided &T
		if lit.Type == nil && under.elem.under().kind != kindPointer {
			return &Pointer{&Cell{p.composite(env, lit, under.elem), lit}}
		}
	case kindStruct:
		return p.structLit(env, lit, typ)
	case kindSlice, kindArray:
		return p.sliceLit(env, lit, typ)
	case kindMap:
		return p.mapLit(env, lit, typ)
	}
	return p.unknownLit(env, lit)
}

// unknownLit is a literal whose type is not at hand: with names as keys it is
// a struct that has these fields at least.
func (p *Program) unknownLit(env *scope, lit *ast.CompositeLit) Value {
	for _, e := range lit.Elts {
		kv, ok := e.(*ast.KeyValueExpr)
		if !ok {
			return unknownf("a literal of a type that is not at hand")
		}
		if _, ok := kv.Key.(*ast.Ident); !ok {
			return unknownf("a literal of a type that is not at hand")
		}
	}
	return p.structLit(env, lit, nil)
}

func (p *Program) structLit(env *scope, lit *ast.CompositeLit, typ *Type) Value {
	s := &Struct{Type: typ, Lit: lit, Calls: append([]*ast.CallExpr{}, p.calls...), fields: map[string]*Cell{}, Written: map[string]*Cell{}}
	var known []field
	if typ != nil {
		known = typ.under().fields
	}
	for i, e := range lit.Elts {
		name, value := "", e
		var want *Type
		if kv, ok := e.(*ast.KeyValueExpr); ok {
			if id, ok := kv.Key.(*ast.Ident); ok {
				name = id.Name
			}
			value = kv.Value
			for _, f := range known {
				if f.name == name {
					want = f.typ
				}
			}
		} else if i < len(known) {
			name, want = known[i].name, known[i].typ
		}
		v := p.element(env, value, want)
		s.fields[name] = &Cell{v, value}
		s.Written[name] = &Cell{copyOf(v), value}
	}
	return s
}

// element evaluates an element of a composite literal. In that of a variable
// of the main package a panic costs the element only, so that one mistake does
// not hide the others.
func (p *Program) element(env *scope, expr ast.Expr, typ *Type) (v Value) {
	if !p.topLevel || len(p.journals) > 0 || len(p.calls) > 0 {
		return p.evalElement(env, expr, typ)
	}
	v = unknownf("its evaluation panics")
	p.attempt(func() { v = p.evalElement(env, expr, typ) })
	return v
}

func (p *Program) evalElement(env *scope, expr ast.Expr, typ *Type) Value {
	if lit, ok := expr.(*ast.CompositeLit); ok && lit.Type == nil {
		p.step(lit)
		p.nest(lit)
		v := p.composite(env, lit, typ)
		p.nodes--
		return v
	}
	return convertTo(copyOf(p.eval(env, expr)), typ)
}

func (p *Program) sliceLit(env *scope, lit *ast.CompositeLit, typ *Type) Value {
	s := &Slice{Type: typ}
	elem := typ.under().elem
	at := 0
	for _, e := range lit.Elts {
		value := e
		if kv, ok := e.(*ast.KeyValueExpr); ok {
			value = kv.Value
			n, ok := Int(p.eval(env, kv.Key))
			if !ok || n < 0 || n >= maxArray {
				return unknownf("an index in a literal")
			}
			at = int(n)
		}
		for len(s.Elems) <= at {
			s.Elems = append(s.Elems, &Cell{val: elem.zero()})
		}
		s.Elems[at] = &Cell{p.element(env, value, elem), value}
		at++
	}
	if typ.under().kind == kindArray {
		for len(s.Elems) < typ.under().length {
			s.Elems = append(s.Elems, &Cell{val: elem.zero()})
		}
	}
	return s
}

func (p *Program) mapLit(env *scope, lit *ast.CompositeLit, typ *Type) Value {
	m := &Map{Type: typ, entries: make(map[mapKey]*Entry, len(lit.Elts))}
	under := typ.under()
	for _, e := range lit.Elts {
		kv, ok := e.(*ast.KeyValueExpr)
		if !ok {
			continue
		}
		key := p.element(env, kv.Key, under.key)
		v := p.element(env, kv.Value, under.elem)
		k := m.keyOf(key)
		if k.kind == 0 {
			m.Open = firstUnknown(key)
			continue
		}
		m.put(k, &Entry{Key: key, Node: kv.Key, Cell: &Cell{v, kv.Value}})
	}
	return m
}
