package goeval

import (
	"go/ast"
	"go/constant"
	"go/token"
)

func (p *Program) declare(env *scope, d ast.Decl) {
	g, ok := d.(*ast.GenDecl)
	if !ok {
		return
	}
	var last *ast.ValueSpec
	for i, spec := range g.Specs {
		switch s := spec.(type) {
		case *ast.TypeSpec:
			c := env.define(s.Name.Name, &Cell{})
			c.val = typeValue{p.declaredType(env, nil, s)}
		case *ast.ValueSpec:
			if len(s.Values) > 0 || s.Type != nil {
				last = s
			}
			if g.Tok == token.CONST && last != nil {
				in := newScope(env)
				in.define("iota", &Cell{val: untypedInt(i)})
				p.declareValues(env, in, s.Names, last, true)
			} else {
				p.declareValues(env, env, s.Names, s, false)
			}
		}
	}
}

// declareValues declares names in env with the values of spec, seen from in.
func (p *Program) declareValues(env, in *scope, names []*ast.Ident, spec *ast.ValueSpec, konst bool) {
	cells := p.initial(in, names, spec, konst)
	for i, name := range names {
		env.define(name.Name, cells[i])
	}
}

// initial returns the variables, or constants, of a declaration.
func (p *Program) initial(env *scope, names []*ast.Ident, spec *ast.ValueSpec, konst bool) []*Cell {
	cells := make([]*Cell, len(names))
	var typ *Type
	if spec.Type != nil {
		typ = p.typeOf(env, spec.Type)
	}
	var values tuple
	if len(spec.Values) == 1 && len(names) > 1 {
		values, _ = p.eval(env, spec.Values[0]).(tuple)
	}
	for i := range names {
		cells[i] = &Cell{}
		switch {
		case len(spec.Values) == 0 && typ != nil:
			cells[i].val = typ.zero()
		case i < len(spec.Values) && len(spec.Values) == len(names):
			cells[i].val, cells[i].Node = convertTo(p.evalCopy(env, spec.Values[i]), typ), spec.Values[i]
		case i < len(values):
			cells[i].val = convertTo(copyOf(values[i]), typ)
		default:
			cells[i].val = unknownf("a declaration that is not understood")
		}
		if !konst {
			cells[i].val = withDefault(runeOf(cells[i].val, cells[i].Node))
		}
	}
	return cells
}

// runeOf gives an untyped constant that is written as a rune that type.
func runeOf(v Value, expr ast.Expr) Value {
	if n, ok := v.(Number); ok && n.Type == nil && n.V.Kind() == constant.Int && expr != nil {
		isRune := false
		ast.Inspect(expr, func(n ast.Node) bool {
			lit, ok := n.(*ast.BasicLit)
			isRune = isRune || ok && lit.Kind == token.CHAR
			return true
		})
		if isRune {
			return convertTo(v, runeType)
		}
	}
	return v
}

func (p *Program) assign(env *scope, s *ast.AssignStmt) {
	if s.Tok != token.ASSIGN && s.Tok != token.DEFINE {
		op := s.Tok - (token.ADD_ASSIGN - token.ADD) // the order in go/token is that of the operators
		if len(s.Lhs) == 1 && len(s.Rhs) == 1 {
			to := p.placeOf(env, s.Lhs[0])
			old := p.valueAt(to)
			p.storeAt(to, p.binary(op, old, p.eval(env, s.Rhs[0]), s), s.Rhs[0])
		}
		return
	}
	if s.Tok == token.ASSIGN && len(s.Lhs) == 1 && len(s.Rhs) == 1 {
		if call, ok := s.Rhs[0].(*ast.CallExpr); ok && len(call.Args) > 1 && sameVariable(s.Lhs[0], call.Args[0]) {
			p.dropped = call.Args[0]
		}
		to := p.placeOf(env, s.Lhs[0])
		p.storeAt(to, p.evalCopy(env, s.Rhs[0]), s.Rhs[0])
		return
	}
	// What the left side denotes is found out before anything is assigned.
	var places []place
	if s.Tok == token.ASSIGN {
		for _, lhs := range s.Lhs {
			places = append(places, p.placeOf(env, lhs))
		}
	}
	values := make([]Value, len(s.Lhs))
	nodes := make([]ast.Expr, len(s.Lhs))
	if len(s.Rhs) == len(s.Lhs) {
		for i, e := range s.Rhs {
			values[i], nodes[i] = p.evalCopy(env, e), e
		}
	} else if len(s.Rhs) == 1 {
		for i, v := range p.several(env, s.Rhs[0], len(s.Lhs)) {
			values[i], nodes[i] = v, s.Rhs[0]
		}
	}
	for i, lhs := range s.Lhs {
		if values[i] == nil {
			values[i] = unknownf("an assignment that is not understood")
		}
		if name, ok := lhs.(*ast.Ident); ok && s.Tok == token.DEFINE {
			if c := env.get(name.Name); c != nil && len(s.Lhs) > 1 {
				p.assignTo(c, values[i])
			} else {
				env.define(name.Name, &Cell{withDefault(runeOf(values[i], nodes[i])), nodes[i]})
			}
			continue
		}
		if i < len(places) {
			p.storeAt(places[i], values[i], nodes[i])
		}
	}
}

// sameVariable reports whether two expressions denote the same variable, as
// x = append(x, y) has them.
func sameVariable(a, b ast.Expr) bool {
	switch a := a.(type) {
	case *ast.Ident:
		b, ok := b.(*ast.Ident)
		return ok && a.Name == b.Name
	case *ast.BasicLit:
		b, ok := b.(*ast.BasicLit)
		return ok && a.Value == b.Value
	case *ast.SelectorExpr:
		b, ok := b.(*ast.SelectorExpr)
		return ok && a.Sel.Name == b.Sel.Name && sameVariable(a.X, b.X)
	case *ast.StarExpr:
		b, ok := b.(*ast.StarExpr)
		return ok && sameVariable(a.X, b.X)
	case *ast.IndexExpr:
		b, ok := b.(*ast.IndexExpr)
		return ok && sameVariable(a.X, b.X) && sameVariable(a.Index, b.Index)
	}
	return false
}

// several evaluates an expression of n values: a call, or the form of a look-up
// that says whether there is something.
func (p *Program) several(env *scope, expr ast.Expr, n int) []Value {
	switch e := ast.Unparen(expr).(type) {
	case *ast.IndexExpr:
		if m, ok := p.eval(env, e.X).(*Map); ok && n == 2 {
			v, found := p.mapIndex(m, p.eval(env, e.Index))
			return []Value{copyOf(v), found}
		}
	case *ast.TypeAssertExpr:
		if n == 2 {
			why := mix(unknownf("a type assertion"), p.eval(env, e.X))
			return []Value{why, why}
		}
	}
	if t, ok := p.eval(env, expr).(tuple); ok && len(t) == n {
		return t
	}
	values := make([]Value, n)
	for i := range values {
		values[i] = unknownf("what %s returns", p.show(expr))
	}
	return values
}

// store assigns to what an expression denotes.
func (p *Program) store(env *scope, lhs ast.Expr, v Value, node ast.Expr) {
	p.storeAt(p.placeOf(env, lhs), v, node)
}

// place is what an assignment goes to: a variable, an entry of a map, or
// something in a value that is not known. The blank one is empty.
type place struct {
	c       *Cell
	m       *Map
	key     Value
	keyNode ast.Expr
	lost    Value
	none    ast.Expr // an entry of a nil map
	zero    Value    // what such an entry reads as
}

// placeOf returns what an expression denotes.
func (p *Program) placeOf(env *scope, lhs ast.Expr) place {
	lhs = ast.Unparen(lhs)
	if name, ok := lhs.(*ast.Ident); ok && name.Name == "_" {
		return place{}
	}
	if e, ok := lhs.(*ast.IndexExpr); ok {
		x := p.eval(env, e.X)
		switch m := x.(type) {
		case *Map:
			return place{m: m, key: p.eval(env, e.Index), keyNode: e.Index}
		case Nil:
			if under := m.Type.under(); under.kind == kindMap {
				p.eval(env, e.Index)
				return place{none: e, zero: under.elem.zero()}
			}
			return place{none: e, zero: unknownf("%s", p.show(e))}
		}
		c := p.elementOf(env, x, e)
		if c == nil {
			if _, isSlice := x.(*Slice); isSlice {
				return place{lost: mix(unknownf("which element is meant by %s", p.show(e)), x)}
			}
			return place{lost: x}
		}
		return place{c: c}
	}
	c, in := p.cellIn(env, lhs)
	return place{c: c, lost: in}
}

// valueAt returns what is at a place.
func (p *Program) valueAt(to place) Value {
	switch {
	case to.c != nil:
		return to.c.Get()
	case to.m != nil:
		v, _ := p.mapIndex(to.m, to.key)
		return v
	case to.zero != nil:
		return to.zero
	}
	return mix(unknownf("a variable that is not known"), to.lost)
}

// storeAt assigns v.
func (p *Program) storeAt(to place, v Value, node ast.Expr) {
	switch {
	case to.c != nil:
		p.assignTo(to.c, v)
		to.c.Node = node
	case to.m != nil:
		p.mapStore(to.m, to.key, convertTo(v, to.m.Type.under().elem), to.keyNode, node)
	case to.none != nil:
		p.raise(to.none, "assignment to entry in nil map")
	case to.lost != nil:
		p.exposed(to.lost, unknownf("an assignment through what is not known"), false)
		if hasRefs(v) { // where it went is not known
			p.exposed(v, unknownf("an assignment through what is not known"), true)
		}
	}
}

// assignTo assigns v to a variable. Constants get its type; its fields and
// elements stay the variables that pointers to them have.
func (p *Program) assignTo(c *Cell, v Value) {
	switch old := c.val.(type) {
	case *Struct:
		switch v := v.(type) {
		case *Struct:
			if v.Type == old.Type && v != old {
				fresh := v.fields
				v.fields = make(map[string]*Cell, len(fresh))
				for name, f := range fresh {
					v.fields[name] = f
				}
				for name, f := range old.fields {
					nf := v.Field(name)
					p.assignTo(f, nf.Get())
					f.Node = nf.Node
					v.fields[name] = f
				}
			}
		case *Unknown:
			for _, f := range old.fields {
				p.assignTo(f, v)
			}
		}
	case *Slice:
		if old.Type.under().kind == kindArray {
			switch v := v.(type) {
			case *Slice:
				if len(v.Elems) == len(old.Elems) && v != old {
					for i, e := range old.Elems {
						p.assignTo(e, v.Elems[i].Get())
						v.Elems[i] = e
					}
				}
			case *Unknown:
				for _, e := range old.Elems {
					p.assignTo(e, v)
				}
			}
		}
	}
	p.set(c, adopted(v, c.val))
}

// adopted gives an untyped constant, or nil, the type of the variable that it
// is assigned to, as far as its old value tells.
func adopted(v, old Value) Value {
	if n, ok := v.(Nil); ok {
		if n.Type != nil {
			return v
		}
		switch o := old.(type) {
		case Nil:
			return o
		case *Slice:
			return Nil{o.Type}
		case *Map:
			return Nil{o.Type}
		}
		return v
	}
	if !untyped(v) {
		return v
	}
	if t := basicType(old); t != nil && kindOf(v) == kindOf(old) {
		return convertTo(v, t)
	}
	return vague(v)
}

// kindOf tells texts, bools and numbers apart.
func kindOf(v Value) int {
	switch v.(type) {
	case Text:
		return 1
	case Truth:
		return 2
	case Number:
		return 3
	}
	return 0
}

// mapStore adds an entry to a map, or replaces it.
func (p *Program) mapStore(m *Map, key, v Value, keyNode, node ast.Expr) {
	k := m.keyOf(key)
	if k.kind == 0 {
		why := unknownf("a key that is not known")
		if u, ok := key.(*Unknown); ok {
			why = u
		}
		p.open(m, mix(why, v))
		if hasRefs(v) {
			m.Open = mix(m.Open, v)
		}
		return
	}
	p.setEntry(m, k, &Entry{Key: key, Node: keyNode, Cell: &Cell{v, node}})
}

// open notes that there may be other entries in a map.
func (p *Program) open(m *Map, why *Unknown) {
	if m.Open == nil {
		m.Open = why
		p.opened = append(p.opened, m)
	}
}
