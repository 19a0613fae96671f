package star

import (
	"fmt"
	"strings"

	"go.starlark.net/syntax"
)

// Limits of an evaluation; what is beyond them is unknown.
const (
	maxDepth = 200
	maxSteps = 200_000   // a table is read, or a function called, with a few hundred
	maxTotal = 5_000_000 // of all evaluations together
	maxElems = 2_000     // of a list or a dict; upstream's longest has 120
	maxText  = 10_000    // bytes
)

// failed ends an evaluation that would end lucicfg too.
type failed struct{ message string }

// unsure ends an evaluation whose further way is not known.
type unsure struct{}

// evaluator knows the names of a main.star and evaluates expressions.
type evaluator struct {
	stmts   []syntax.Stmt
	globals map[string]*value
	mutated map[string]bool // changed by functions: more may be in them
	depth   int
	steps   int // of one evaluation
	total   int
	frozen  bool // the file is loaded: its tables stay as they are
	shared  map[*value]bool
}

func newEvaluator(stmts []syntax.Stmt) *evaluator {
	return &evaluator{stmts: stmts, globals: map[string]*value{}, mutated: mutatedNames(stmts)}
}

// scope is the local names of a function, or of a comprehension within one.
type scope struct {
	names map[string]*value
	outer *scope
}

func (sc *scope) find(name string) *value {
	for ; sc != nil; sc = sc.outer {
		if v := sc.names[name]; v != nil {
			return v
		}
	}
	return nil
}

// try evaluates something. Where it ends early the value is unknown, and
// failure says what lucicfg would fail with, if that is what ended it.
func (e *evaluator) try(f func() *value) (v *value, failure string) {
	depth := e.depth
	defer func() {
		e.depth = depth
		e.total += e.steps
		switch r := recover().(type) {
		case nil:
		case failed:
			v, failure = anything, r.message
		case unsure:
			v = anything
		default:
			panic(r)
		}
	}()
	e.steps = 0
	return f(), ""
}

// call calls a function of the file. It is unknown if there is none.
func (e *evaluator) call(name string, args ...*value) (v *value, failure string) {
	f := e.globals[name]
	if f == nil || f.kind != function {
		return anything, ""
	}
	return e.try(func() *value { return e.apply(f.def, args, nil) })
}

func fail(format string, args ...any) { panic(failed{fmt.Sprintf(format, args...)}) }

// enter counts a step, and a level that the returned function leaves.
func (e *evaluator) enter() func() {
	e.spend(1)
	if e.depth > maxDepth {
		panic(unsure{})
	}
	e.depth++
	return func() { e.depth-- }
}

// spend counts steps.
func (e *evaluator) spend(n int) {
	if e.steps += n; e.steps > maxSteps || e.total+e.steps > maxTotal {
		panic(unsure{})
	}
}

// limit returns a value, or that it is unknown if there is too much in it.
func limit(v *value) *value {
	if len(v.elems) > maxElems || len(v.items) > maxElems || len(v.text) > maxText {
		return &value{}
	}
	return v
}

// eval returns what an expression comes to.
func (e *evaluator) eval(x syntax.Expr, sc *scope) *value {
	defer e.enter()()
	v := limit(e.expr(x, sc))
	switch x.(type) {
	case *syntax.Ident, *syntax.ParenExpr, *syntax.DotExpr, *syntax.IndexExpr, *syntax.CondExpr:
		return v // it was written elsewhere
	}
	if v.node == nil && v != anything && v.kind != function {
		v.node = x
	}
	return v
}

func (e *evaluator) expr(x syntax.Expr, sc *scope) *value {
	switch x := x.(type) {
	case *syntax.Literal:
		switch v := x.Value.(type) {
		case string:
			return textValue(v)
		case int64:
			return numValue(v)
		case float64:
			return &value{kind: fraction}
		}
	case *syntax.Ident:
		return e.name(x.Name, sc)
	case *syntax.ParenExpr:
		return e.eval(x.X, sc)
	case *syntax.ListExpr:
		return listOf(e.evalAll(x.List, sc)...)
	case *syntax.TupleExpr:
		return listOf(e.evalAll(x.List, sc)...)
	case *syntax.DictExpr:
		d := &value{kind: dict}
		for _, entry := range x.List {
			entry := entry.(*syntax.DictEntry)
			key, val := e.eval(entry.Key, sc), e.eval(entry.Value, sc)
			if key.kind == unknown {
				d.open = true
				continue
			}
			d.items = append(d.items, item{key, val, entry})
		}
		return d
	case *syntax.Comprehension:
		return e.comprehension(x, sc)
	case *syntax.CondExpr:
		if e.condition(x.Cond, sc) {
			return e.eval(x.True, sc)
		}
		return e.eval(x.False, sc)
	case *syntax.UnaryExpr:
		return e.unary(x, sc)
	case *syntax.BinaryExpr:
		return e.binary(x, sc)
	case *syntax.DotExpr:
		return e.dot(e.eval(x.X, sc), x.Name.Name)
	case *syntax.IndexExpr:
		return e.index(e.eval(x.X, sc), e.eval(x.Y, sc))
	case *syntax.SliceExpr:
		return e.slice(x, sc)
	case *syntax.CallExpr:
		return e.callExpr(x, sc)
	}
	return anything
}

func (e *evaluator) evalAll(list []syntax.Expr, sc *scope) []*value {
	var vs []*value
	for _, x := range list {
		vs = append(vs, e.eval(x, sc))
	}
	return vs
}

func (e *evaluator) name(name string, sc *scope) *value {
	if v := sc.find(name); v != nil {
		return v
	}
	if v := e.globals[name]; v != nil {
		return v
	}
	switch name {
	case "True":
		return truthValue(true)
	case "False":
		return truthValue(false)
	case "None":
		return noneValue()
	}
	return anything
}

// condition returns whether an expression holds, and ends the evaluation if
// that is not known.
func (e *evaluator) condition(x syntax.Expr, sc *scope) bool {
	is, known := e.eval(x, sc).isTrue()
	if !known {
		panic(unsure{})
	}
	return is
}

func (e *evaluator) unary(x *syntax.UnaryExpr, sc *scope) *value {
	if x.X == nil {
		return anything
	}
	v := e.eval(x.X, sc)
	switch {
	case x.Op == syntax.NOT:
		if is, known := v.isTrue(); known {
			return truthValue(!is)
		}
	case x.Op == syntax.MINUS && v.kind == number:
		return numValue(-v.num)
	case x.Op == syntax.MINUS && v.kind == fraction:
		return &value{kind: fraction}
	}
	return anything
}

func (e *evaluator) binary(x *syntax.BinaryExpr, sc *scope) *value {
	a := e.eval(x.X, sc)
	if x.Op == syntax.AND || x.Op == syntax.OR {
		is, known := a.isTrue()
		switch {
		case !known:
			return anything
		case is == (x.Op == syntax.OR):
			return a
		}
		return e.eval(x.Y, sc)
	}
	b := e.eval(x.Y, sc)
	switch x.Op {
	case syntax.EQL, syntax.NEQ:
		e.spend(len(a.elems) + len(a.items))
		if same, known := equal(a, b); known {
			return truthValue(same == (x.Op == syntax.EQL))
		}
	case syntax.IN, syntax.NOT_IN:
		e.spend(len(b.elems) + len(b.items))
		if is, known := contains(b, a); known {
			return truthValue(is == (x.Op == syntax.IN))
		}
	case syntax.LT, syntax.LE, syntax.GT, syntax.GE:
		return order(x.Op, a, b)
	case syntax.PLUS:
		return add(a, b)
	case syntax.PERCENT:
		return format(a, b)
	}
	return anything
}

// order compares two numbers or two texts.
func order(op syntax.Token, a, b *value) *value {
	var c int
	switch {
	case a.kind == number && b.kind == number:
		c = int(min(max(a.num-b.num, -1), 1))
	case a.kind == text && b.kind == text:
		c = strings.Compare(a.text, b.text)
	case a.kind == text && b.kind == number, a.kind == number && b.kind == text:
		fail("a text and a number are compared")
	default:
		return anything
	}
	switch op {
	case syntax.LT:
		return truthValue(c < 0)
	case syntax.LE:
		return truthValue(c <= 0)
	case syntax.GT:
		return truthValue(c > 0)
	}
	return truthValue(c >= 0)
}

func add(a, b *value) *value {
	switch {
	case a.kind == text && b.kind == text:
		return textValue(a.text + b.text)
	case a.kind == number && b.kind == number:
		return numValue(a.num + b.num)
	case a.kind == list && b.kind == list:
		sum := a.clone()
		sum.node = nil
		sum.elems = append(sum.elems, b.elems...)
		sum.open = a.open || b.open
		return sum
	case a.kind == list && b.kind == unknown:
		sum := a.clone()
		sum.node, sum.open = nil, true
		return sum
	case a.kind == unknown && b.kind == list:
		sum := b.clone()
		sum.node, sum.open = nil, true
		return sum
	}
	return anything
}

// format is the operator % of texts with %s and %d.
func format(a, b *value) *value {
	if a.kind != text {
		return anything
	}
	args := []*value{b}
	if b.kind == list {
		if b.open {
			return anything
		}
		args = b.elems
	}
	var out strings.Builder
	for i := 0; i < len(a.text); i++ {
		if a.text[i] != '%' {
			out.WriteByte(a.text[i])
			continue
		}
		if i++; i == len(a.text) {
			return anything
		}
		switch c := a.text[i]; {
		case c == '%':
			out.WriteByte('%')
		case (c == 's' || c == 'd') && len(args) > 0 && (args[0].kind == text || args[0].kind == number):
			out.WriteString(args[0].String())
			args = args[1:]
		default:
			return anything
		}
	}
	return textValue(out.String())
}

// contains returns whether a container has something in it.
func contains(in, v *value) (is, known bool) {
	switch in.kind {
	case text:
		return strings.Contains(in.text, v.text), v.kind == text
	case list:
		known := !in.open
		for _, elem := range in.elems {
			same, k := equal(elem, v)
			if same && k {
				return true, true
			}
			known = known && k
		}
		return false, known
	case dict:
		val, known := in.get(v)
		return val != nil, known
	}
	return false, false
}

// dot returns a field of a struct.
func (e *evaluator) dot(v *value, name string) *value {
	switch v.kind {
	case record:
		val, known := v.get(textValue(name))
		if val != nil {
			return val
		}
		if known {
			fail("there is no .%s in the struct", name)
		}
	case number, truth, none:
		fail("there is no .%s in %s", name, map[kind]string{number: "a number", truth: "True or False", none: "None"}[v.kind])
	}
	return anything
}

func (e *evaluator) index(v, key *value) *value {
	switch v.kind {
	case dict:
		e.spend(len(v.items))
		val, known := v.get(key)
		if val != nil {
			return val
		}
		if known {
			fail("key %q is not in the dict", key)
		}
	case list:
		i := key.num
		if key.kind != number || v.open {
			break
		}
		if i < 0 {
			i += int64(len(v.elems))
		}
		if i < 0 || i >= int64(len(v.elems)) {
			fail("index %d is out of range", key.num)
		}
		return v.elems[i]
	}
	return anything
}

// slice handles list[n:], which is all that is needed.
func (e *evaluator) slice(x *syntax.SliceExpr, sc *scope) *value {
	v := e.eval(x.X, sc)
	if v.kind != list || v.open || x.Lo == nil || x.Hi != nil || x.Step != nil {
		return anything
	}
	lo := e.eval(x.Lo, sc)
	if lo.kind != number || lo.num < 0 {
		return anything
	}
	return listOf(v.elems[min(lo.num, int64(len(v.elems))):]...)
}

func (e *evaluator) comprehension(x *syntax.Comprehension, sc *scope) *value {
	out := &value{kind: list}
	if x.Curly {
		if _, ok := x.Body.(*syntax.DictEntry); !ok {
			return anything // a set
		}
		out.kind = dict
	}
	e.clauses(x, x.Clauses, out, sc)
	return out
}

// clauses evaluates the clauses of a comprehension, and its body for each time
// that they hold. Where that is not known more may be in what comes out.
func (e *evaluator) clauses(x *syntax.Comprehension, clauses []syntax.Node, out *value, sc *scope) {
	defer e.enter()()
	if len(clauses) == 0 {
		if entry, ok := x.Body.(*syntax.DictEntry); ok {
			e.spend(len(out.items))
			out.set(e.eval(entry.Key, sc), e.eval(entry.Value, sc), nil)
			return
		}
		out.elems = append(out.elems, e.eval(x.Body, sc))
		return
	}
	switch c := clauses[0].(type) {
	case *syntax.IfClause:
		is, known := e.eval(c.Cond, sc).isTrue()
		if !known {
			out.open = true
		}
		if is && known {
			e.clauses(x, clauses[1:], out, sc)
		}
	case *syntax.ForClause:
		elems, known := elements(e.eval(c.X, sc))
		if !known {
			out.open = true
		}
		for _, elem := range elems {
			inner := &scope{names: map[string]*value{}, outer: sc}
			e.assign(c.Vars, elem, inner)
			e.clauses(x, clauses[1:], out, inner)
		}
	}
}

// elements returns what a loop over a value goes through, and whether that is
// all.
func elements(v *value) (elems []*value, known bool) {
	switch v.kind {
	case list:
		return v.elems, !v.open
	case dict:
		for i, it := range v.items {
			if first, _ := v.firstIndex(it.key); first == i {
				elems = append(elems, it.key)
			}
		}
		return elems, !v.open
	}
	return nil, false
}

// firstIndex returns where in a dict a key is first.
func (v *value) firstIndex(key *value) (int, bool) {
	for i, it := range v.items {
		if same, known := equal(it.key, key); same && known {
			return i, true
		}
	}
	return -1, false
}
