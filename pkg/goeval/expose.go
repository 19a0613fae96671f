package goeval

import (
	"go/ast"
	"slices"
)

// forgetful are packages that keep nothing that they are given.
var forgetful = map[string]bool{
	"errors": true, "fmt": true, "log": true, "maps": true, "slices": true, "sort": true, "strconv": true, "strings": true,
}

// spoil makes the variables of a package unknown where one of its functions is
// called that stands in a file that was left out.
func (p *Program) spoil(env *scope, fun ast.Expr, why *Unknown) {
	name, ok := fun.(*ast.Ident)
	if ok && env.pkg.partial && p.lookupCell(env, name.Name) == nil {
		p.spoilAll(env.pkg, why)
	}
}

func (p *Program) spoilAll(pkg *Package, why *Unknown) {
	for name, d := range pkg.decls {
		if _, isVar := d.spec.(*ast.ValueSpec); isVar && !d.konst {
			p.exposed(&Pointer{p.packageName(pkg, name)}, why, true)
		}
	}
}

// exposed makes unknown what somebody unknown may change who got v; with keep,
// also what is assigned there later.
func (p *Program) exposed(v Value, why *Unknown, keep bool) {
	r := exposure{p, why, keep, map[any]bool{}}
	r.value(v)
}

type exposure struct {
	p    *Program
	why  *Unknown
	keep bool
	seen map[any]bool
}

func (r *exposure) value(v Value) {
	switch v.(type) {
	case *Unknown, *Struct, *Map, *Func:
		if r.seen[v] {
			return
		}
		r.seen[v] = true
	}
	switch v := v.(type) {
	case *Unknown:
		for _, m := range v.may {
			r.value(m)
		}
	case *Pointer:
		r.cell(v.To)
	case *Struct: // a copy: what it refers to
		for _, f := range v.fields {
			r.value(f.val)
		}
	case *Slice:
		for _, c := range v.Elems {
			r.cell(c)
		}
	case *Map:
		r.p.open(v, r.why)
		for _, e := range v.Entries() {
			r.value(e.Cell.val)
		}
	case *Func:
		r.value(v.self)
		if v.native != nil || v.Type == nil {
			return
		}
		r.calls(v)
	}
}

// calls is what happens if f may be called, any number of times.
func (r *exposure) calls(f *Func) {
	p := r.p
	if slices.Contains(p.exposing, f.Body) {
		return // what it does is being found out
	}
	if len(p.exposing) >= maxExposing {
		panic(stopping{"functions that are given away nest too deep"})
	}
	p.exposing = append(p.exposing, f.Body)
	for n, rounds := -1, 0; rounds < maxRounds; rounds++ {
		_, e := p.way(func() flow { p.call(f, p.unknownArgs(f, r.why), nil); return flow{} })
		for c := range e.cells {
			r.cell(c)
		}
		for k := range e.entries {
			p.open(k.m, r.why)
		}
		if len(e.cells)+len(e.entries) <= n {
			break
		}
		n = len(e.cells) + len(e.entries)
	}
	p.exposing = p.exposing[:len(p.exposing)-1]
}

// maxExposing bounds the functions in functions that are given away.
const maxExposing = 6

// cell makes a variable unknown, and what it refers to.
func (r *exposure) cell(c *Cell) {
	if r.seen[c] || r.p.escaped[c] != nil {
		return
	}
	r.seen[c] = true
	old := c.val
	why := mix(r.why, old)
	r.p.change(c, why)
	if r.keep {
		r.p.expose(c, why)
	}
	s, ok := old.(*Struct)
	if !ok {
		r.value(old)
		return
	}
	for _, f := range s.fields {
		r.cell(f)
	}
}

// expose notes that a variable may change at any time.
func (p *Program) expose(c *Cell, why *Unknown) {
	if p.escaped == nil {
		p.escaped = map[*Cell]*Unknown{}
	}
	if p.escaped[c] == nil {
		p.escaped[c] = why
		p.change(c, why)
	}
}

func (p *Program) unknownArgs(f *Func, why *Unknown) []Value {
	var args []Value
	for _, param := range f.Type.Params.List {
		for range max(1, len(param.Names)) {
			args = append(args, why)
		}
	}
	return args
}
