package goeval

import (
	"go/ast"
	"go/token"
)

func (p *Program) evalCall(env *scope, e *ast.CallExpr) Value {
	var fn, x Value
	var c *Cell
	if sel, ok := e.Fun.(*ast.SelectorExpr); ok {
		p.step(sel)
		fn, x, c = p.selected(env, sel)
	} else {
		fn = p.eval(env, e.Fun)
	}
	switch f := fn.(type) {
	case builtinName:
		return p.callBuiltin(env, string(f), e)
	case typeValue:
		if len(e.Args) == 1 {
			return p.convert(f.t, p.eval(env, e.Args[0]), e)
		}
	case *Func:
		args := p.args(env, e, f)
		if args == nil {
			return unknownf("the arguments of %s", p.show(e.Fun))
		}
		return p.call(f, args, e)
	case Nil:
		p.raise(e, "call of a nil function")
	}
	// Whatever is called may change what it gets hold of, now or later.
	why := p.reason(fn, e.Fun)
	pkg, isPackage := x.(pkgValue)
	keep := !isPackage || !forgetful[pkg.pkg.Path]
	p.exposed(fn, why, false)
	for _, arg := range e.Args {
		v := p.eval(env, arg)
		p.exposed(v, why, keep)
		why = mix(why, v)
	}
	switch {
	case isPackage || x == nil:
	case c != nil: // the method may have the address
		p.exposed(&Pointer{c}, why, keep)
	default:
		p.exposed(x, why, keep)
	}
	if x == nil {
		p.spoil(env, e.Fun, why)
	}
	return mix(why, x)
}

// evalCopy evaluates an expression whose value is assigned.
func (p *Program) evalCopy(env *scope, e ast.Expr) Value {
	v := p.eval(env, e)
	if s, ok := v.(*Slice); ok {
		switch e.(type) {
		case *ast.CallExpr, *ast.CompositeLit:
			return s // nobody else has it
		}
	}
	return copyOf(v)
}

// args evaluates the arguments of a call; nil if they are not understood.
func (p *Program) args(env *scope, e *ast.CallExpr, f *Func) []Value {
	args := make([]Value, 0, len(e.Args))
	if len(e.Args) == 1 {
		v := p.eval(env, e.Args[0])
		if t, ok := v.(tuple); ok {
			return t
		}
		args = append(args, copyOf(v))
	} else {
		for _, a := range e.Args {
			args = append(args, copyOf(p.eval(env, a)))
		}
	}
	if f.native != nil {
		if e.Ellipsis == token.NoPos {
			return args
		}
		s, ok := args[len(args)-1].(*Slice)
		if !ok || s.Open != nil {
			return nil
		}
		args = args[:len(args)-1]
		for _, c := range s.Elems {
			args = append(args, c.Get())
		}
		return args
	}
	// The last parameter takes the rest as a slice.
	if n, variadic := params(f.Type); variadic && e.Ellipsis == token.NoPos && len(args) >= n-1 {
		typ := restType
		if list := f.Type.Params.List; len(list) > 0 {
			typ = p.typeOf(f.env, list[len(list)-1].Type)
		}
		rest := &Slice{Type: typ, Elems: make([]*Cell, 0, len(args)-n+1)}
		for i, v := range args[n-1:] {
			rest.Elems = append(rest.Elems, &Cell{convertTo(v, typ.elem), e.Args[min(n-1+i, len(e.Args)-1)]})
		}
		if len(rest.Elems) == 0 {
			return append(args[:n-1:n-1], Nil{typ})
		}
		args = append(args[:n-1:n-1], rest)
	}
	return args
}

// params returns how many parameters a function has.
func params(t *ast.FuncType) (n int, variadic bool) {
	for _, f := range t.Params.List {
		n += max(1, len(f.Names))
		_, variadic = f.Type.(*ast.Ellipsis)
	}
	return n, variadic
}

// call calls a function with arguments that have been evaluated; site is the
// call in the source, or nil.
func (p *Program) call(f *Func, args []Value, site *ast.CallExpr) (v Value) {
	if f.native != nil {
		return f.native(p, args, site)
	}
	if f.Body == nil {
		return unknownf("the body of %s", f.Name)
	}
	if len(p.calls) >= p.opts.MaxDepth {
		panic(stopping{"calls nest too deep at " + p.Fset.Position(f.Body.Pos()).String()})
	}
	env := newScope(f.env)
	if f.Type.TypeParams != nil {
		defineUnknownTypes(env, f.Type.TypeParams)
	}
	p.receive(env, f, &args)
	p.parameters(env, f, args)
	var results []*Cell
	if f.Type.Results != nil {
		for _, field := range f.Type.Results.List {
			for _, name := range field.Names {
				results = append(results, env.define(name.Name, &Cell{val: p.typeOf(f.env, field.Type).zero()}))
			}
		}
	}
	if site == nil {
		site = &ast.CallExpr{Fun: &ast.BadExpr{From: f.Body.Pos(), To: f.Body.Pos()}, Lparen: f.Body.Pos(), Rparen: f.Body.Pos()}
	}
	p.calls = append(p.calls, site)
	if f.pkg == p.main && f.Name == p.opts.Observe && f.Name != "" {
		p.Observed = append(p.Observed, Call{Args: copies(args), Calls: append([]*ast.CallExpr{}, p.calls...), Certain: len(p.journals) == 0, Panicked: true})
		defer func(i int) {
			if v != nil {
				p.Observed[i].Panicked = false
			}
		}(len(p.Observed) - 1)
	}
	if d := p.defersOf(f.Body); d.any {
		v = p.deferring(env, f, results, d.recovers)
		p.calls = p.calls[:len(p.calls)-1]
		return p.returned(env, f, v)
	}
	out := p.execBlock(env, f.Body.List)
	p.calls = p.calls[:len(p.calls)-1]
	return p.returned(env, f, p.result(out, results, f))
}

// returned gives constants that a function returns the types of its results.
func (p *Program) returned(env *scope, f *Func, v Value) Value {
	if f.Type.Results == nil {
		return v
	}
	if t, ok := v.(tuple); ok {
		i := 0
		for _, field := range f.Type.Results.List {
			for range max(1, len(field.Names)) {
				if i < len(t) && needsType(t[i]) {
					t[i] = convertTo(t[i], p.typeOf(env, field.Type))
				}
				i++
			}
		}
		return v
	}
	if needsType(v) {
		return convertTo(v, p.typeOf(env, f.Type.Results.List[0].Type))
	}
	return v
}

// defineUnknownTypes defines the type parameters of a function.
func defineUnknownTypes(env *scope, list *ast.FieldList) {
	for _, field := range list.List {
		for _, name := range field.Names {
			env.define(name.Name, &Cell{val: typeValue{unknownType}})
		}
	}
}

// wantsPointer reports whether a method has a pointer as its receiver.
func wantsPointer(f *Func) bool {
	if f.recv == nil || len(f.recv.List) == 0 {
		return false
	}
	_, yes := ast.Unparen(f.recv.List[0].Type).(*ast.StarExpr)
	return yes
}

// receiver returns a copy of the bound receiver, for a method on a value.
func (f *Func) receiver() Value {
	if ptr, ok := f.self.(*Pointer); ok {
		return copyOf(ptr.To.Get())
	}
	return copyOf(f.self)
}

func copies(list []Value) []Value {
	out := make([]Value, len(list))
	for i, v := range list {
		out[i] = copyOf(v)
	}
	return out
}

// receive defines the receiver of a method; of a method expression it is the
// first argument.
func (p *Program) receive(env *scope, f *Func, args *[]Value) {
	if f.recv == nil {
		return
	}
	self := f.self
	if !f.bound {
		if len(*args) == 0 {
			self = unknownf("the receiver of %s", f.Name)
		} else {
			self, *args = (*args)[0], (*args)[1:]
		}
	}
	field := f.recv.List[0]
	wantsPointer := wantsPointer(f)
	ptr, isPointer := self.(*Pointer)
	switch {
	case isPointer && !wantsPointer:
		self = copyOf(ptr.To.Get())
	case !isPointer && wantsPointer && isKnown(self):
		self = &Pointer{&Cell{val: self}} // the address of the variable it came from: the struct is shared
	case !wantsPointer:
		self = copyOf(self)
	}
	typ := ast.Unparen(field.Type)
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = ast.Unparen(star.X)
	}
	switch t := typ.(type) { // the parameters of a generic type
	case *ast.IndexExpr:
		defineUnknown(env, t.Index)
	case *ast.IndexListExpr:
		defineUnknown(env, t.Indices...)
	}
	if len(field.Names) == 1 {
		env.define(field.Names[0].Name, &Cell{val: self})
	}
}

func defineUnknown(env *scope, names ...ast.Expr) {
	for _, name := range names {
		if id, ok := name.(*ast.Ident); ok {
			env.define(id.Name, &Cell{val: typeValue{unknownType}})
		}
	}
}

func (p *Program) parameters(env *scope, f *Func, args []Value) {
	i := 0
	for _, field := range f.Type.Params.List {
		for _, name := range field.Names {
			var v Value
			if i >= len(args) {
				v = unknownf("the argument %s", name.Name)
			} else {
				v = args[i]
				if _, isNil := v.(Nil); isNil || untyped(v) {
					v = convertTo(v, p.typeOf(env, field.Type))
				}
			}
			env.define(name.Name, &Cell{val: v})
			i++
		}
		if len(field.Names) == 0 {
			i++
		}
	}
}

// result returns what a function returns whose body ended like that.
func (p *Program) result(out flow, named []*Cell, f *Func) Value {
	if onlyPanics(out) {
		p.raise(nil, "")
	}
	p.mayPanic(out)
	if len(out.alt.cells)+len(out.alt.entries) > 0 {
		p.join(out.alt, effect{}, out.why)
	}
	if len(out.exits) == 1 && out.exits[0].val != nil {
		return out.exits[0].val // as most functions end
	}
	var v Value
	first := true
	for _, e := range normal(out.exits) {
		if e.kind == panics {
			continue
		}
		got := e.val
		if got == nil && len(named) > 0 {
			got = cellValues(named)
		}
		if first {
			v, first = got, false
		} else {
			v = merge(v, got, out.why)
		}
	}
	if v == nil {
		return tuple{}
	}
	return v
}

func cellValues(cells []*Cell) Value {
	if len(cells) == 1 {
		return cells[0].Get()
	}
	t := make(tuple, len(cells))
	for i, c := range cells {
		t[i] = c.Get()
	}
	return t
}
