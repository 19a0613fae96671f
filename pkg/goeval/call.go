package goeval

import (
	"go/ast"
	"go/constant"
	"go/token"
	"slices"
	"unicode/utf8"
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

// deferred is a call at the end of a function.
type deferred struct {
	run     func()
	certain bool
}

// defers says whether a function defers calls, and whether these may recover.
type defers struct{ any, recovers bool }

// defersOf returns what is known of the body of a function.
func (p *Program) defersOf(body *ast.BlockStmt) defers {
	d, ok := p.defers[body]
	if ok {
		return d
	}
	ast.Inspect(body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			return false
		case *ast.DeferStmt:
			d.any = true
			lit, isLit := n.Call.Fun.(*ast.FuncLit)
			if !isLit { // it may recover as well, if it is not of another package
				_, isSel := n.Call.Fun.(*ast.SelectorExpr)
				d.recovers = d.recovers || !isSel
				return true
			}
			ast.Inspect(lit, func(n ast.Node) bool {
				id, ok := n.(*ast.Ident)
				d.recovers = d.recovers || ok && id.Name == "recover"
				return true
			})
		}
		return true
	})
	p.defers[body] = d
	return d
}

// prepare evaluates what is called and its arguments, and returns the call.
func (p *Program) prepare(env *scope, call *ast.CallExpr) func() {
	if _, ok := call.Fun.(*ast.FuncLit); ok && len(call.Args) == 0 {
		return func() { p.eval(env, call) }
	}
	fn := p.eval(env, call.Fun)
	if f, ok := fn.(*Func); ok {
		if args := p.args(env, call, f); args != nil {
			return func() { p.call(f, args, call) }
		}
	}
	for _, arg := range call.Args {
		p.exposed(p.eval(env, arg), p.reason(fn, call.Fun), true)
	}
	return func() { p.eval(env, call) }
}

// postpone is a deferred call.
func (p *Program) postpone(env *scope, call *ast.CallExpr) {
	p.deferred = append(p.deferred, deferred{p.prepare(env, call), len(p.journals) == p.frame})
}

// deferring executes the body of a function that defers calls, and then these.
func (p *Program) deferring(env *scope, f *Func, named []*Cell, recovers bool) (v Value) {
	frame, base, calls, nodes := p.frame, len(p.deferred), len(p.calls), p.nodes
	p.frame = len(p.journals)
	if recovers {
		p.recovering++
	}
	var failed any
	func() {
		defer func() {
			if failed = recover(); failed != nil {
				if _, ok := failed.(panicking); !ok {
					panic(failed)
				}
				p.calls, p.nodes = p.calls[:calls], nodes
			}
		}()
		out := p.execBlock(env, f.Body.List)
		if recovers && out.has(panics) && len(out.exits) > 1 {
			out.exits = slices.DeleteFunc(out.exits, func(e exit) bool { return e.kind == panics })
			why := unknownf("whether a function recovers from a panic")
			v = merge(p.result(out, named, f), nil, why)
			for _, c := range named {
				p.assignTo(c, mix(why, c.val))
			}
			if len(named) > 0 {
				v = cellValues(named)
			}
			return
		}
		v = p.result(out, named, f)
	}()
	if len(named) > 0 && v != nil {
		values, ok := v.(tuple)
		if !ok {
			values = tuple{v}
		}
		for i, c := range named {
			if i < len(values) {
				p.assignTo(c, values[i])
			}
		}
	}
	list := append([]deferred{}, p.deferred[base:]...)
	p.deferred = p.deferred[:base]
	for _, d := range slices.Backward(list) {
		if d.certain && failed == nil {
			d.run()
			continue
		}
		why := unknownf("whether a deferred call happens")
		p.fork(why, func() flow { d.run(); return flow{} }, func() flow { return flow{} })
	}
	if recovers {
		p.recovering--
	}
	p.frame = frame
	switch {
	case failed != nil && !recovers:
		panic(failed)
	case len(named) > 0:
		return cellValues(named)
	case failed != nil:
		why := Value(unknownf("what a function returns that recovers"))
		if f.Type.Results != nil && len(f.Type.Results.List) > 1 {
			t := make(tuple, len(f.Type.Results.List))
			for i := range t {
				t[i] = why
			}
			return t
		}
		return why
	}
	return v
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

// needsType reports whether the type of a variable that v is assigned to
// matters to it.
func needsType(v Value) bool {
	_, isNil := v.(Nil)
	return isNil || untyped(v)
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

// untyped reports whether v is an untyped constant.
func untyped(v Value) bool {
	switch v := v.(type) {
	case Text:
		return v.Type == nil
	case Truth:
		return v.Type == nil
	case Number:
		return v.Type == nil
	}
	return false
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

// convert converts v to a type.
func (p *Program) convert(t *Type, v Value, e *ast.CallExpr) Value {
	u := t.under().kind
	switch v := v.(type) {
	case Text:
		switch u {
		case kindString:
			return Text{v.S, t}
		case kindInterface:
			return withDefault(v)
		case kindSlice:
			switch t.under().elem.under() {
			case runeType:
				return &Slice{Type: t, Elems: runeCells(v.S)}
			case byteType:
				return &Slice{Type: t, Elems: byteCells(v.S)}
			}
		}
	case Truth:
		switch u {
		case kindBool:
			return Truth{v.B, t}
		case kindInterface:
			return withDefault(v)
		}
	case Number:
		switch u {
		case kindString:
			if n, ok := Int(v); ok {
				if int64(rune(n)) != n {
					n = utf8.RuneError
				}
				return Text{string(rune(n)), t}
			}
		case kindInt:
			if n := constant.ToInt(v.V); n.Kind() == constant.Int && v.Type != unknownType {
				return number(n, t)
			}
		case kindFloat:
			return number(v.V, t)
		case kindInterface:
			return withDefault(v)
		}
	case *Slice:
		switch {
		case u == kindString:
			return bytesText(v, t)
		case u == kindSlice && v.Type.under().kind == kindSlice:
			c := *v
			c.Type = t
			return &c
		}
		return mix(unknownf("%s", p.show(e)), v)
	case *Struct:
		switch {
		case u == kindStruct && v.Type != nil:
			c := copyOf(v).(*Struct)
			c.Type = t
			return c
		case u == kindInterface:
			return copyOf(v)
		}
		return mix(unknownf("%s", p.show(e)), v)
	case *Pointer:
		s, ok := v.To.Get().(*Struct)
		if u == kindInterface || u == kindPointer && ok && s.Type == t.under().elem {
			return v
		}
		return mix(unknownf("%s", p.show(e)), v)
	case Nil:
		return convertTo(Nil{v.Type}, t)
	case *Map:
		if u == kindMap || u == kindInterface {
			return v
		}
		return mix(unknownf("%s", p.show(e)), v)
	case *Func:
		return v
	}
	return p.reason(v, e)
}

func runeCells(text string) []*Cell {
	var cells []*Cell
	for _, r := range text {
		cells = append(cells, &Cell{val: Number{constant.MakeInt64(int64(r)), runeType}})
	}
	return cells
}

func byteCells(text string) []*Cell {
	cells := make([]*Cell, len(text))
	for i, c := range []byte(text) {
		cells[i] = &Cell{val: Number{constant.MakeInt64(int64(c)), byteType}}
	}
	return cells
}

// bytesText returns string(s) of a slice of bytes or runes.
func bytesText(s *Slice, t *Type) Value {
	text := make([]byte, 0, len(s.Elems))
	elem := s.Type.under().elem.under()
	runes := elem == runeType
	if !runes && elem != byteType {
		return unknownf("the text of a slice")
	}
	for _, c := range s.Elems {
		n, ok := Int(c.Get())
		switch {
		case !ok || s.Open != nil:
			return unknownf("the text of a slice")
		case runes:
			text = utf8.AppendRune(text, rune(n))
		case n < 0 || n > 255:
			return unknownf("the text of a slice")
		default:
			text = append(text, byte(n))
		}
	}
	return Text{string(text), t}
}

func (p *Program) callBuiltin(env *scope, name string, e *ast.CallExpr) Value {
	arg := func(i int) Value {
		if i < len(e.Args) {
			return p.eval(env, e.Args[i])
		}
		return unknownf("an argument of %s", name)
	}
	switch name {
	case "len", "cap":
		return p.length(arg(0), name)
	case "append":
		return p.appendTo(env, e)
	case "delete":
		if m, ok := arg(0).(*Map); ok {
			if k := m.keyOf(arg(1)); k.kind != 0 {
				p.setEntry(m, k, nil)
			} else {
				p.open(m, unknownf("a key that is deleted"))
			}
		} else {
			p.exposed(arg(0), unknownf("a key that is deleted"), false)
		}
	case "make":
		return p.makeValue(env, e)
	case "new":
		if len(e.Args) == 1 {
			if t, ok := arg(0).(typeValue); ok {
				return &Pointer{&Cell{val: t.t.zero()}}
			}
			return &Pointer{&Cell{val: copyOf(arg(0))}}
		}
	case "panic":
		message, _ := String(arg(0))
		p.raise(e, message)
	case "min", "max":
		op := token.LSS
		if name == "max" {
			op = token.GTR
		}
		best := arg(0)
		for i := 1; i < len(e.Args); i++ {
			v := arg(i)
			smaller, ok := Bool(p.binary(op, v, best, e))
			if !ok {
				return unknownf("%s", p.show(e))
			}
			if smaller {
				best = v
			}
		}
		return best
	case "print", "println":
		for i := range e.Args {
			arg(i)
		}
	case "recover":
		return unknownf("recover")
	case "copy", "clear":
		why := unknownf("what %s does", name)
		p.exposed(arg(0), why, false)
		return why
	}
	return tuple{}
}

func (p *Program) length(v Value, what string) Value {
	switch v := v.(type) {
	case Text:
		return intValue(len(v.S))
	case *Slice:
		switch {
		case what != "len" && v.Type.under().kind != kindArray:
			return unknownf("the capacity of a slice")
		case v.Open == nil:
			return intValue(len(v.Elems))
		}
		return v.Open
	case *Map:
		if v.Open != nil {
			return v.Open
		}
		entries := v.Entries()
		for _, e := range entries {
			if e.Maybe != nil {
				return e.Maybe
			}
		}
		return intValue(len(entries))
	case Nil:
		return intValue(0)
	}
	return firstUnknown(v)
}

// appendTo returns what append does. Where there is no room for sure, the
// elements are copied. Where there may be room, two slices may or may not have
// the same elements: see grown.
func (p *Program) appendTo(env *scope, e *ast.CallExpr) Value {
	if len(e.Args) == 0 {
		return unknownf("append")
	}
	var more []*Cell
	var open *Unknown
	sure := 0 // of more, if open
	first := p.eval(env, e.Args[0])
	var typ *Type
	switch s := first.(type) {
	case *Slice:
		typ = s.Type
	case Nil:
		typ = s.Type
	}
	var elem *Type
	if under := typ.under(); under.kind == kindSlice {
		elem = under.elem
	}
	for i, a := range e.Args[1:] {
		v := p.eval(env, a)
		if e.Ellipsis == token.NoPos || i < len(e.Args)-2 {
			more = append(more, &Cell{convertTo(copyOf(v), elem), a})
			continue
		}
		switch s := v.(type) {
		case *Slice:
			for _, c := range s.Elems {
				more = append(more, &Cell{copyOf(c.Get()), c.Node})
			}
			open, sure = s.Open, s.sure+i
			if typ == nil {
				typ = s.Type
			}
		case Nil:
			if typ == nil {
				typ = s.Type
			}
		case Text:
			more = append(more, byteCells(s.S)...)
		default:
			open, sure = mix(firstUnknown(v), v), len(more)
		}
	}
	out := &Slice{Type: typ, Open: open, roomy: true, sure: sure}
	switch s := first.(type) {
	case *Slice:
		if len(more) == 0 && open == nil {
			return s
		}
		if s.Open != nil {
			out.Open, out.sure = s.Open, s.sure
		} else {
			out.sure += len(s.Elems)
		}
		out.Elems = p.grown(s, len(more), e.Args[0] == p.dropped)
		p.grow(s, more)
	case Nil:
		if len(more) == 0 && open == nil {
			return first
		}
	default:
		return mix(firstUnknown(first), append([]Value{first}, values(more)...)...)
	}
	out.Elems = append(out.Elems, more...)
	p.charge(len(out.Elems))
	if len(out.Elems) > maxElems {
		panic(stopping{"a slice grows beyond reason at " + p.Fset.Position(e.Pos()).String()})
	}
	return out
}

func values(cells []*Cell) []Value {
	list := make([]Value, len(cells))
	for i, c := range cells {
		list[i] = c.Get()
	}
	return list
}

// grown returns the elements of s in a slice that has n more behind them;
// dropped is set if the variable with s gets that slice.
func (p *Program) grown(s *Slice, n int, dropped bool) []*Cell {
	room := make([]*Cell, len(s.Elems), len(s.Elems)+n)
	if dropped && s.roomy && !s.held && s.tail == nil && len(s.behind) == 0 {
		copy(room, s.Elems) // the old slice is about to be dropped
		return room
	}
	for i, c := range s.Elems {
		room[i] = &Cell{copyOf(c.val), c.Node}
	}
	if !s.roomy && len(s.behind) == 0 {
		return room
	}
	// It is not followed which of them share their elements: from now on
	// those of the old one may change whenever the new one's do.
	why := unknownf("whether two slices share their elements")
	for _, c := range s.behind {
		p.expose(c, mix(why, c.val))
	}
	for i, c := range s.Elems {
		p.twin(c, room[i])
	}
	return room
}

// tail is what was appended behind the elements of slices with the same end.
type tail struct{ cells []*Cell }

// grow notes that cells were appended to s: those that were appended to it
// before may be the same ones.
func (p *Program) grow(s *Slice, cells []*Cell) {
	if !s.roomy {
		return
	}
	if s.tail == nil {
		s.tail = &tail{}
	}
	why := unknownf("whether two slices share their elements")
	for _, c := range s.tail.cells {
		p.expose(c, mix(why, c.val))
	}
	if len(s.tail.cells) > 0 {
		for _, c := range cells {
			p.expose(c, mix(why, c.val))
		}
	}
	s.tail.cells = append(s.tail.cells, cells...)
}

// twin notes that two variables may be the same one: what is assigned to one
// makes the other unknown.
func (p *Program) twin(a, b *Cell) {
	if p.twins == nil {
		p.twins = map[*Cell][]*Cell{}
	}
	p.twins[a] = append(p.twins[a], b)
	p.twins[b] = append(p.twins[b], a)
	switch x := a.val.(type) {
	case *Struct:
		if y, ok := b.val.(*Struct); ok {
			for _, name := range x.Fields() {
				p.twin(x.Field(name), y.Field(name))
			}
		}
	case *Slice:
		if y, ok := b.val.(*Slice); ok && x.Type.under().kind == kindArray {
			for i := range min(len(x.Elems), len(y.Elems)) {
				p.twin(x.Elems[i], y.Elems[i])
			}
		}
	}
}

// maxElems bounds the slices that are made.
const maxElems = 1 << 20

func (p *Program) makeValue(env *scope, e *ast.CallExpr) Value {
	if len(e.Args) == 0 {
		return unknownf("make")
	}
	t := p.typeOf(env, e.Args[0])
	switch t.under().kind {
	case kindMap:
		return &Map{Type: t}
	case kindSlice:
		s := &Slice{Type: t}
		if len(e.Args) > 1 {
			n, ok := Int(p.eval(env, e.Args[1]))
			if !ok || n < 0 || n > maxElems {
				return unknownf("the length of a slice")
			}
			for range n {
				s.Elems = append(s.Elems, &Cell{val: t.under().elem.zero()})
			}
		}
		s.roomy = len(e.Args) > 2
		return s
	}
	return unknownf("%s", p.show(e))
}
