package goeval

import (
	"go/ast"
	"go/constant"
	"go/token"
	"unicode/utf8"
)

func (p *Program) evalCall(env *scope, e *ast.CallExpr) Value {
	fn := p.eval(env, e.Fun)
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
	// Whatever is called may change what it gets hold of.
	why := p.reason(fn, e.Fun)
	for _, arg := range e.Args {
		p.exposed(p.eval(env, arg), why, 0)
	}
	if sel, ok := e.Fun.(*ast.SelectorExpr); ok {
		if x := p.eval(env, sel.X); isKnown(x) {
			p.exposed(x, why, 0)
		}
	}
	return why
}

// exposed makes unknown what somebody unknown may change who got v.
func (p *Program) exposed(v Value, why *Unknown, depth int) {
	if depth > 4 {
		return
	}
	switch v := v.(type) {
	case *Pointer:
		p.set(v.To, why)
	case *Slice:
		for _, c := range v.Elems {
			p.exposed(c.Get(), why, depth+1)
			p.set(c, why)
		}
	case *Map:
		if v.Open == nil {
			v.Open = why
		}
	case *Func:
		if v.native == nil && v.Type != nil {
			p.fork(why, func() flow { p.call(v, p.unknownArgs(v, why), nil); return flow{} }, func() flow { return flow{} })
		}
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
		rest := &Slice{Type: restType, Elems: make([]*Cell, 0, len(args)-n+1)}
		for i, v := range args[n-1:] {
			rest.Elems = append(rest.Elems, &Cell{withDefault(v), e.Args[min(n-1+i, len(e.Args)-1)]})
		}
		if len(rest.Elems) == 0 {
			return append(args[:n-1:n-1], Nil{})
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
	out := p.execBlock(env, f.Body.List)
	p.calls = p.calls[:len(p.calls)-1]
	return p.result(out, results, f)
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
	_, wantsPointer := ast.Unparen(field.Type).(*ast.StarExpr)
	ptr, isPointer := self.(*Pointer)
	switch {
	case isPointer && !wantsPointer:
		self = copyOf(ptr.To.Get())
	case !isPointer && wantsPointer && isKnown(self):
		self = &Pointer{&Cell{val: self}} // the address of the variable it came from: the struct is shared
	case !wantsPointer:
		self = copyOf(self)
	}
	if len(field.Names) == 1 {
		env.define(field.Names[0].Name, &Cell{val: self})
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
					v = convertTo(v, p.typeOf(f.env, field.Type))
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
		case kindString, kindInterface:
			return Text{v.S, t}
		case kindSlice:
			if t.under().elem.under() == runeType {
				return &Slice{Type: t, Elems: runeCells(v.S)}
			}
			return &Slice{Type: t, Elems: byteCells(v.S)}
		}
	case Truth:
		return Truth{v.B, t}
	case Number:
		switch u {
		case kindString:
			if n, ok := Int(v); ok {
				return Text{string(rune(n)), t}
			}
		case kindInt:
			if n := constant.ToInt(v.V); n.Kind() == constant.Int {
				return Number{n, t}
			}
			return unknownf("%s", p.show(e))
		case kindFloat:
			return Number{constant.ToFloat(v.V), t}
		}
	case *Slice:
		if u == kindString {
			return bytesText(v, t)
		}
	}
	return v // whatever it is, it stays what it is
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
	runes := s.Type.under().elem.under() == runeType
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
			if k := keyOf(arg(1)); k.kind != 0 {
				p.setEntry(m, k, nil)
			} else if m.Open == nil {
				m.Open = unknownf("a key that is deleted")
			}
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
		p.exposed(arg(0), why, 0)
		return why
	}
	return tuple{}
}

func (p *Program) length(v Value, what string) Value {
	switch v := v.(type) {
	case Text:
		return intValue(len(v.S))
	case *Slice:
		if v.Open == nil && what == "len" {
			return intValue(len(v.Elems))
		}
		return firstUnknown(v.Open)
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

// appendTo returns a slice that shares nothing with the first argument: that
// it does in a program, where there is room, no table depends on.
func (p *Program) appendTo(env *scope, e *ast.CallExpr) Value {
	if len(e.Args) == 0 {
		return unknownf("append")
	}
	out := &Slice{}
	switch s := p.eval(env, e.Args[0]).(type) {
	case *Slice:
		out.Type, out.Open = s.Type, s.Open
		out.Elems = append(out.Elems, s.Elems...)
	case Nil:
	default:
		return firstUnknown(s)
	}
	for i, a := range e.Args[1:] {
		v := p.eval(env, a)
		if e.Ellipsis == token.NoPos || i < len(e.Args)-2 {
			out.Elems = append(out.Elems, &Cell{copyOf(v), a})
			continue
		}
		switch s := v.(type) {
		case *Slice:
			for _, c := range s.Elems {
				out.Elems = append(out.Elems, &Cell{copyOf(c.Get()), c.Node})
			}
			if out.Open == nil {
				out.Open = s.Open
			}
			if out.Type == nil {
				out.Type = s.Type
			}
		case Nil:
		case Text:
			out.Elems = append(out.Elems, byteCells(s.S)...)
		default:
			out.Open = firstUnknown(v)
		}
	}
	p.charge(len(out.Elems))
	if out.Elems == nil && out.Open == nil && out.Type == nil {
		return Nil{}
	}
	if len(out.Elems) > maxElems {
		panic(stopping{"a slice grows beyond reason at " + p.Fset.Position(e.Pos()).String()})
	}
	return out
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
		return s
	}
	return unknownf("%s", p.show(e))
}
