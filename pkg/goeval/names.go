package goeval

import "go/ast"

func (p *Program) evalIdent(env *scope, e *ast.Ident) Value {
	for s := env; s != nil; s = s.parent {
		if s.many == nil {
			if c := s.get(e.Name); c != nil {
				return c.Get()
			}
			continue
		}
		// What is declared outside of functions is the same whenever it is
		// asked for.
		c := p.static[e]
		if c == nil {
			if c = p.lookupCell(s, e.Name); c == nil {
				c = &Cell{val: predeclared(e.Name)}
			}
			if c.val != nil {
				p.static[e] = c
			}
		}
		return c.Get()
	}
	return predeclared(e.Name)
}

// predeclared is what the language declares.
func predeclared(name string) Value {
	switch {
	case name == "true" || name == "false":
		return boolValue(name == "true")
	case name == "nil":
		return Nil{}
	case builtins[name]:
		return builtinName(name)
	case basicTypes[name] != nil:
		return typeValue{basicTypes[name]}
	}
	return unknownf("%s is declared nowhere that is at hand", name)
}

// lookup returns what a name stands for in env. Names that the language
// declares are not in it, types apart.
func (p *Program) lookup(env *scope, name string) (Value, bool) {
	if c := p.lookupCell(env, name); c != nil {
		return c.Get(), true
	}
	if t := basicTypes[name]; t != nil {
		return typeValue{t}, true
	}
	return nil, false
}

func (p *Program) lookupCell(env *scope, name string) *Cell {
	for s := env; s != nil; s = s.parent {
		if c := s.get(name); c != nil {
			return c
		}
		if s.parent == nil && s.pkg != nil {
			return p.packageName(s.pkg, name)
		}
	}
	return nil
}

// packageName returns what a name of a package's top level stands for, which
// is evaluated if it was not yet; nil if there is no such name.
func (p *Program) packageName(pkg *Package, name string) *Cell {
	if c := pkg.scope.get(name); c != nil {
		if c.val == nil {
			return &Cell{val: unknownf("%s depends on itself", name)}
		}
		return c
	}
	d, ok := pkg.decls[name]
	if !ok {
		return nil
	}
	// What a variable starts as does not depend on who asks first.
	journals := p.journals
	p.journals = nil
	defer func() { p.journals = journals }()
	switch {
	case d.fn != nil:
		return pkg.scope.define(name, &Cell{val: &Func{Name: name, Type: d.fn.Type, Body: d.fn.Body, env: d.file, pkg: pkg}})
	case d.value == nil && d.konst:
		return pkg.scope.define(name, &Cell{val: unknownf("the constant %s has no value", name)})
	}
	if spec, ok := d.spec.(*ast.TypeSpec); ok {
		if t := pkg.types[name]; t != nil {
			return &Cell{val: typeValue{t}} // it is being made
		}
		c := &Cell{}
		t := &Type{name: name, pkg: pkg}
		pkg.types[name] = t
		c.val = typeValue{t}
		pkg.scope.define(name, c)
		t.base = p.typeOf(d.file, spec.Type)
		return c
	}
	spec := d.spec.(*ast.ValueSpec)
	env := d.file
	if d.konst {
		spec, env = d.value, newScope(d.file)
		env.define("iota", &Cell{val: untypedInt(d.iota)})
	}
	// While they are evaluated they are there, without a value.
	own := make([]*Cell, len(d.names))
	for i, n := range d.names {
		own[i] = pkg.scope.define(n.Name, &Cell{})
	}
	defer func() {
		for _, c := range own { // after a panic
			if c.val == nil {
				c.val = unknownf("its initialization panics")
			}
		}
	}()
	for i, c := range p.initial(env, d.names, spec, d.konst) {
		own[i].val, own[i].Node = c.Get(), c.Node
	}
	return pkg.scope.get(name)
}

// member returns what a package exports under a name.
func (p *Program) member(pkg *Package, name string) (Value, bool) {
	p.load(pkg)
	if !pkg.loaded {
		return nil, false
	}
	c := p.packageName(pkg, name)
	if c == nil {
		return nil, false
	}
	return c.Get(), true
}
