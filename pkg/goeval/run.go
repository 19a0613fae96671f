package goeval

import (
	"fmt"
	"go/ast"
	"maps"
	"slices"
	"strings"
)

// panicking unwinds the evaluator to the next place that catches it.
type panicking struct{ Panic }

// stopping unwinds it to the end.
type stopping struct{ why string }

// step counts, and gives up where the bound is.
func (p *Program) step(node ast.Node) {
	p.steps++
	if p.steps > p.opts.MaxSteps {
		panic(stopping{fmt.Sprintf("the evaluation does not end within %d steps; it was at %s", p.opts.MaxSteps, p.Fset.Position(node.Pos()))})
	}
}

// charge counts work that is more than a step: n bytes or elements.
func (p *Program) charge(n int) { p.steps += n / 16 }

// nest guards against source that nests too deep. Who calls it counts nodes
// down again; a panic puts it back to where it is caught.
func (p *Program) nest(node ast.Node) {
	p.nodes++
	if p.nodes > p.opts.MaxNodes {
		panic(stopping{fmt.Sprintf("the source nests deeper than %d levels at %s", p.opts.MaxNodes, p.Fset.Position(node.Pos()))})
	}
}

// Run evaluates the package-level variables of the main package and its init
// functions.
func (p *Program) Run() {
	p.guarded(func() { p.load(p.main) })
}

// guarded calls f and notes if the evaluation was given up in it.
func (p *Program) guarded(f func()) {
	depth, calls := len(p.journals), len(p.calls)
	blurs, recovering, frame, deferred, exposing, orders := p.blurs, p.recovering, p.frame, len(p.deferred), len(p.exposing), p.orders
	defer func() {
		switch r := recover().(type) {
		case nil:
			return
		case stopping:
			p.Stopped = r.why
		case panicking:
			p.note(r)
		default:
			panic(r)
		}
		if len(p.journals) > depth {
			p.end(p.journals[depth])
		}
		p.calls, p.nodes = p.calls[:calls], 0
		p.blurs, p.recovering, p.frame, p.deferred = blurs, recovering, frame, p.deferred[:deferred]
		p.exposing, p.orders = p.exposing[:exposing], orders
	}()
	f()
}

// note takes in a panic, if it is one of the main package that every run comes
// to.
func (p *Program) note(r panicking) {
	if len(p.journals) == 0 && p.topLevel {
		p.Panics = append(p.Panics, r.Panic)
	}
}

// initialize evaluates pkg: its variables in the order of the source, or
// earlier where one needs another, and then its init functions.
func (p *Program) initialize(pkg *Package) {
	defer func(saved bool) { p.topLevel = saved }(p.topLevel)
	p.topLevel = pkg == p.main
	// First what it imports: its init functions may change what others have.
	for _, f := range pkg.Files {
		for _, spec := range f.Imports {
			p.load(p.importPath(strings.Trim(spec.Path.Value, "`\"")))
		}
	}
	for _, f := range pkg.Files {
		for _, d := range f.Decls {
			if g, ok := d.(*ast.GenDecl); ok {
				for _, spec := range g.Specs {
					if s, ok := spec.(*ast.ValueSpec); ok {
						for _, name := range s.Names {
							p.attempt(func() { p.packageName(pkg, name.Name) })
						}
					}
				}
			}
		}
	}
	if pkg.opening {
		defer p.spoilAll(pkg, unknownf("what the init functions in a file do that is for some platforms only"))
	}
	for i, fn := range pkg.inits {
		if fn.Body == nil {
			continue
		}
		env := newScope(pkg.decls[fmt.Sprintf("init %d", i+1)].file)
		p.execTop(env, fn.Body.List)
	}
}

// attempt calls f; a panic in it is noted, and ends nothing else.
func (p *Program) attempt(f func()) {
	depth, calls, nodes := len(p.journals), len(p.calls), p.nodes
	defer func() {
		if r := recover(); r != nil {
			err, ok := r.(panicking)
			if !ok {
				panic(r)
			}
			if len(p.journals) > depth {
				p.end(p.journals[depth])
			}
			p.calls, p.nodes = p.calls[:calls], nodes
			p.note(err)
		}
	}()
	f()
}

// execTop executes the statements of an init function. Other than in the
// program itself, a panic ends only its statement, and in a loop its
// iteration, so that one mistake does not hide the next.
func (p *Program) execTop(env *scope, stmts []ast.Stmt) {
	for i, s := range stmts {
		var f flow
		p.attempt(func() {
			if r, ok := s.(*ast.RangeStmt); ok {
				f = p.execRange(env, r, "", p.attemptFlow)
			} else {
				f = p.exec(env, s)
			}
		})
		if f.ends() {
			return
		}
		if why := f.maybeEnds(); why != nil {
			// What follows may not be reached at all.
			rest := stmts[i+1:]
			j := p.begin()
			p.execTop(env, rest)
			p.join(f.alt, p.end(j), why)
			return
		}
	}
}

// attemptFlow calls f; a panic in it is noted and taken for its end.
func (p *Program) attemptFlow(f func() flow) (result flow) {
	p.attempt(func() { result = f() })
	return result
}

// Var returns the package-level variable or constant of the main package, or
// nil if it has none of that name.
func (p *Program) Var(name string) (c *Cell) {
	if d, ok := p.main.decls[name]; !ok || d.fn != nil {
		return nil
	}
	p.guarded(func() { c = p.packageName(p.main, name) })
	return c
}

// VarOf is Var for the package of an import path, if its source is at hand.
func (p *Program) VarOf(path, name string) (c *Cell) {
	p.guarded(func() {
		pkg := p.importPath(path)
		p.load(pkg)
		if d, ok := pkg.decls[name]; ok && d.fn == nil {
			c = p.packageName(pkg, name)
		}
	})
	return c
}

// Path returns the import path of the main package, or "" if it lies in no
// module.
func (p *Program) Path() string { return p.main.Path }

// Func returns a function of the main package, or nil.
func (p *Program) Func(name string) (fn *Func) {
	if d, ok := p.main.decls[name]; !ok || d.fn == nil {
		return nil
	}
	p.guarded(func() { fn, _ = p.packageName(p.main, name).Get().(*Func) })
	return fn
}

// Method returns a method of v, a struct or a pointer to one, or
// nil if it has none of that name.
func (p *Program) Method(v Value, name string) *Func {
	target := v
	if ptr, ok := v.(*Pointer); ok {
		target = ptr.To.Get()
	}
	s, ok := target.(*Struct)
	if !ok {
		return nil
	}
	fn := s.Type.method(name)
	if fn == nil {
		return nil
	}
	return fn.bind(v)
}

// Call calls a function with args and returns its result, of several the
// first. Whatever it changes is changed back. A call that panics, or takes
// more than maxSteps steps, is Unknown.
func (p *Program) Call(fn *Func, maxSteps int, args ...Value) (result Value) {
	result = unknownf("it does not return")
	saved, steps, top, stopped, nodes := p.opts.MaxSteps, p.steps, p.topLevel, p.Stopped, p.nodes
	p.topLevel, p.opts.MaxSteps = false, min(p.steps+maxSteps, p.opts.MaxSteps+maxSteps)
	escaped, opened := maps.Clone(p.escaped), len(p.opened)
	j := p.begin()
	p.guarded(func() {
		result = p.call(fn, args, nil)
		if t, ok := result.(tuple); ok && len(t) > 0 {
			result = t[0]
		}
	})
	if slices.Contains(p.journals, j) {
		p.end(j)
	}
	for _, m := range p.opened[opened:] {
		m.Open = nil
	}
	p.escaped, p.opened = escaped, p.opened[:opened]
	p.opts.MaxSteps, p.steps, p.topLevel, p.Stopped, p.nodes = saved, steps, top, stopped, nodes
	return result
}
