package star

import (
	"slices"
	"strings"

	"go.starlark.net/syntax"
)

// callExpr evaluates a call: of a function of the file, of one that is built
// in, or of a method.
func (e *evaluator) callExpr(x *syntax.CallExpr, sc *scope) *value {
	var args []*value
	named := &value{kind: record}
	for _, arg := range x.Args {
		switch a := arg.(type) {
		case *syntax.BinaryExpr:
			if id, ok := a.X.(*syntax.Ident); ok && a.Op == syntax.EQ {
				named.items = append(named.items, item{textValue(id.Name), e.eval(a.Y, sc), a})
				continue
			}
		case *syntax.UnaryExpr:
			if a.Op == syntax.STAR || a.Op == syntax.STARSTAR {
				return anything
			}
		}
		args = append(args, e.eval(arg, sc))
	}
	if dot, ok := x.Fn.(*syntax.DotExpr); ok {
		on := e.eval(dot.X, sc)
		if on.kind != record {
			return e.method(on, dot.Name.Name, args, named)
		}
	}
	fn := e.eval(x.Fn, sc)
	if fn.kind == function {
		return e.applyOrUnknown(fn.def, args, named)
	}
	if id, ok := x.Fn.(*syntax.Ident); ok && sc.find(id.Name) == nil && e.globals[id.Name] == nil {
		return e.builtin(id.Name, args, named)
	}
	return anything
}

// builtin evaluates the functions that are built in.
func (e *evaluator) builtin(name string, args []*value, named *value) *value {
	for _, v := range args {
		e.spend(len(v.elems) + len(v.items)*len(v.items)/16)
	}
	switch {
	case name == "struct" && len(args) == 0:
		return named
	case name == "dict":
		d := &value{kind: dict}
		if len(args) == 1 && args[0].kind == dict {
			d.items, d.open = slices.Clone(args[0].items), args[0].open
		} else if len(args) > 0 {
			d.open = true
		}
		for _, it := range named.items {
			key := *it.key
			if b, ok := it.node.(*syntax.BinaryExpr); ok {
				key.node = b.X
			}
			d.set(&key, it.val, it.node)
		}
		return d
	case name == "fail":
		var words []string
		for _, arg := range args {
			words = append(words, arg.String())
		}
		fail("%s", strings.Join(words, " "))
	case len(named.items) > 0:
		return anything
	case name == "hasattr" && len(args) == 2 && args[1].kind == text:
		switch args[0].kind {
		case record:
			if val, known := args[0].get(args[1]); known {
				return truthValue(val != nil)
			}
		case number, truth, none:
			return truthValue(false)
		}
	case len(args) != 1:
	case name == "list" || name == "tuple":
		elems, known := elements(args[0])
		return &value{kind: list, elems: slices.Clone(elems), open: !known}
	case name == "sorted":
		elems, known := elements(args[0])
		sorted := &value{kind: list, elems: slices.Clone(elems), open: !known}
		if slices.ContainsFunc(elems, func(v *value) bool { return v.kind != text }) {
			return anything
		}
		slices.SortStableFunc(sorted.elems, func(a, b *value) int { return strings.Compare(a.text, b.text) })
		return sorted
	case name == "len" && args[0].kind == list && !args[0].open:
		return numValue(int64(len(args[0].elems)))
	case (name == "any" || name == "all") && args[0].kind == list:
		sure := !args[0].open
		for _, elem := range args[0].elems {
			is, known := elem.isTrue()
			if known && is == (name == "any") {
				return truthValue(is)
			}
			sure = sure && known
		}
		if sure {
			return truthValue(name == "all")
		}
	case name == "str" && (args[0].kind == text || args[0].kind == number):
		return textValue(args[0].String())
	}
	return anything
}

// method evaluates a call of a method.
func (e *evaluator) method(on *value, name string, args []*value, named *value) *value {
	if len(named.items) > 0 {
		e.forget(on)
		return anything
	}
	if on.kind == text {
		return textMethod(on.text, name, args)
	}
	if mutators[name] {
		e.mutable(on)
	}
	for _, v := range append(args, on) {
		e.spend(len(v.elems) + len(v.items)*len(v.items)/16)
	}
	switch {
	case on.kind == list && name == "append" && len(args) == 1:
		on.elems = append(on.elems, args[0])
		e.keep(on)
		return noneValue()
	case on.kind == list && name == "extend" && len(args) == 1:
		elems, known := elements(args[0])
		on.elems, on.open = append(on.elems, elems...), on.open || !known
		e.keep(on)
		return noneValue()
	case on.kind == dict && name == "update" && len(args) == 1 && args[0].kind == dict:
		for _, it := range args[0].items {
			on.set(it.key, it.val, it.node)
		}
		on.open = on.open || args[0].open
		e.keep(on)
		return noneValue()
	case on.kind == dict && name == "get" && (len(args) == 1 || len(args) == 2):
		val, known := on.get(args[0])
		switch {
		case val != nil:
			return val
		case known && len(args) == 2:
			return args[1]
		case known:
			return noneValue()
		}
	case on.kind == dict && len(args) == 0 && (name == "keys" || name == "values" || name == "items"):
		keys, known := elements(on)
		out := &value{kind: list, open: !known}
		for _, key := range keys {
			val, _ := on.get(key)
			switch name {
			case "keys":
				out.elems = append(out.elems, key)
			case "values":
				out.elems = append(out.elems, val)
			default:
				out.elems = append(out.elems, listOf(key, val))
			}
		}
		return out
	case mutators[name]:
		e.forget(on)
	}
	return anything
}

func textMethod(s, name string, args []*value) *value {
	for _, arg := range args {
		if arg.kind != text && !(name == "split" && arg.kind == number) {
			return anything
		}
	}
	switch {
	case name == "split" && len(args) >= 1 && args[0].kind == text && args[0].text != "":
		n := -1
		if len(args) == 2 && args[1].kind == number && args[1].num >= 0 {
			n = int(min(args[1].num, maxSteps)) + 1
		} else if len(args) != 1 {
			return anything
		}
		out := &value{kind: list}
		for _, part := range strings.SplitN(s, args[0].text, n) {
			out.elems = append(out.elems, textValue(part))
		}
		return out
	case name == "replace" && len(args) == 2:
		if len(s) > 1000 || args[0].text == "" {
			return anything
		}
		return textValue(strings.ReplaceAll(s, args[0].text, args[1].text))
	case name == "startswith" && len(args) == 1:
		return truthValue(strings.HasPrefix(s, args[0].text))
	case name == "endswith" && len(args) == 1:
		return truthValue(strings.HasSuffix(s, args[0].text))
	case name == "upper" && len(args) == 0:
		return textValue(strings.ToUpper(s))
	case name == "lower" && len(args) == 0:
		return textValue(strings.ToLower(s))
	}
	return anything
}

// applyOrUnknown is apply for a call within an expression: where the function's
// way is not known, only what it returns is unknown.
func (e *evaluator) applyOrUnknown(def *syntax.DefStmt, args []*value, named *value) (v *value) {
	depth := e.depth
	defer func() {
		switch r := recover().(type) {
		case nil:
		case unsure:
			e.depth, v = depth, &value{}
		default:
			panic(r)
		}
	}()
	return e.apply(def, args, named)
}

// apply calls a function of the file. named may be nil.
func (e *evaluator) apply(def *syntax.DefStmt, args []*value, named *value) *value {
	defer e.enter()()
	sc := &scope{names: map[string]*value{}}
	for i, param := range def.Params {
		var name string
		var val *value
		switch p := param.(type) {
		case *syntax.Ident:
			name = p.Name
		case *syntax.BinaryExpr:
			id, ok := p.X.(*syntax.Ident)
			if !ok {
				return anything
			}
			name = id.Name
			val = e.eval(p.Y, nil)
		default:
			return anything // *args, **kwargs
		}
		if i < len(args) {
			val = args[i]
		} else if named != nil {
			if v := named.field(name); v != nil {
				val = v
			}
		}
		if val == nil {
			fail("%s lacks the argument %s", def.Name.Name, name)
		}
		sc.names[name] = val
	}
	if len(args) > len(def.Params) {
		fail("%s has too many arguments", def.Name.Name)
	}
	if named != nil {
		for _, it := range named.items {
			if sc.names[it.key.text] == nil {
				fail("%s has no argument %s", def.Name.Name, it.key.text)
			}
		}
	}
	ret, how := e.run(def.Body, sc)
	if how != returned {
		return noneValue()
	}
	return ret
}

// mutable ends the evaluation if a value may not be changed: because it is
// unknown what it is, or because it is a table of the loaded file.
func (e *evaluator) mutable(v *value) {
	if v.kind == unknown || e.frozen && e.shared[v] {
		panic(unsure{})
	}
}

// keep forgets a value if it has grown too long.
func (e *evaluator) keep(v *value) {
	if limit(v) != v {
		*v = value{node: v.node}
	}
}

// forget is called when something happens to a value that is not followed.
func (e *evaluator) forget(v *value) {
	if v.kind == list || v.kind == dict {
		e.mutable(v)
		*v = value{node: v.node}
	}
}
