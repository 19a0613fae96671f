package goeval

import (
	"errors"
	"fmt"
	"go/ast"
	"go/constant"
	"math"
	"path"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// seqType marks a slice that stands for an iterator.
var seqType = &Type{kind: kindSlice, elem: stringType}

// durationType is time.Duration.
var durationType = &Type{name: "Duration", base: &Type{kind: kindInt, bits: 64, signed: true}}

// pure are functions of the standard library that are called as they are:
// their parameters and results are strings, bools, numbers and slices of
// strings.
var pure = map[string]any{
	"strings.Compare": strings.Compare, "strings.Contains": strings.Contains, "strings.ContainsAny": strings.ContainsAny,
	"strings.ContainsRune": strings.ContainsRune, "strings.Count": strings.Count, "strings.Cut": strings.Cut,
	"strings.CutPrefix": strings.CutPrefix, "strings.CutSuffix": strings.CutSuffix, "strings.EqualFold": strings.EqualFold,
	"strings.Fields": strings.Fields, "strings.HasPrefix": strings.HasPrefix, "strings.HasSuffix": strings.HasSuffix,
	"strings.Index": strings.Index, "strings.IndexAny": strings.IndexAny, "strings.IndexByte": strings.IndexByte,
	"strings.IndexRune": strings.IndexRune, "strings.Join": strings.Join, "strings.LastIndex": strings.LastIndex,
	"strings.LastIndexByte": strings.LastIndexByte, "strings.Replace": strings.Replace, "strings.ReplaceAll": strings.ReplaceAll,
	"strings.Split": strings.Split, "strings.SplitAfter": strings.SplitAfter, "strings.SplitN": strings.SplitN,
	"strings.ToLower": strings.ToLower, "strings.ToTitle": strings.ToTitle, "strings.ToUpper": strings.ToUpper,
	"strings.Trim": strings.Trim, "strings.TrimLeft": strings.TrimLeft, "strings.TrimPrefix": strings.TrimPrefix,
	"strings.TrimRight": strings.TrimRight, "strings.TrimSpace": strings.TrimSpace, "strings.TrimSuffix": strings.TrimSuffix,
	"strconv.Itoa": itoa, "strconv.Quote": strconv.Quote, "strconv.FormatBool": strconv.FormatBool,
	"path.Base": path.Base, "path.Dir": path.Dir, "path.Ext": path.Ext, "path.Join": path.Join, "path.Clean": path.Clean,
	"unicode.IsDigit": unicode.IsDigit, "unicode.IsLetter": unicode.IsLetter, "unicode.IsLower": unicode.IsLower,
	"unicode.IsSpace": unicode.IsSpace, "unicode.IsUpper": unicode.IsUpper,
}

// natives are those that need more care. It is filled when the program starts,
// as they lead back to what looks them up.
var natives map[string]*Func

func init() {
	special := map[string]nativeFunc{
		"fmt.Sprintf": sprintf, "fmt.Sprint": sprint, "fmt.Errorf": errorf, "errors.New": newError,
		"strconv.Atoi": atoi, "strings.Repeat": repeat, "strings.SplitSeq": splitSeq, "strings.FieldsSeq": fieldsSeq,
		"slices.Contains": contains, "slices.Index": indexOf, "slices.Clone": clone, "slices.Sort": sortSlice,
		"sort.Strings": sortSlice, "sort.Ints": sortSlice, "strings.Map": mapText,
	}
	natives = make(map[string]*Func, len(pure)+len(special))
	for name, fn := range special {
		natives[name] = &Func{Name: name, native: fn}
	}
	for name, fn := range pure {
		natives[name] = &Func{Name: name, native: reflected(name, reflect.ValueOf(fn))}
	}
}

// constants are those of the standard library that are known.
var constants = map[string]Value{
	"time.Nanosecond": duration(time.Nanosecond), "time.Microsecond": duration(time.Microsecond), "time.Millisecond": duration(time.Millisecond),
	"time.Second": duration(time.Second), "time.Minute": duration(time.Minute), "time.Hour": duration(time.Hour),
	"time.Duration": typeValue{durationType},
}

func duration(d time.Duration) Value { return Number{constant.MakeInt64(int64(d)), durationType} }

// standard returns what a package of the standard library exports under a
// name, or nil if that is not known.
func standard(pkg, name string) Value {
	full := pkg + "." + name
	if v := constants[full]; v != nil {
		return v
	}
	if fn := natives[full]; fn != nil {
		return fn
	}
	return nil
}

// reflected makes a native function of a Go function.
func reflected(name string, fn reflect.Value) nativeFunc {
	slow := slowly(name, fn)
	// The forms that most calls have, without the detour.
	switch f := fn.Interface().(type) {
	case func(string, string) bool:
		return func(p *Program, args []Value, site ast.Node) Value {
			if a, b, ok := twoTexts(args); ok {
				p.charge(len(a))
				return boolValue(f(a, b))
			}
			return slow(p, args, site)
		}
	case func(string, string) string:
		return func(p *Program, args []Value, site ast.Node) Value {
			if a, b, ok := twoTexts(args); ok {
				p.charge(len(a))
				return Text{f(a, b), stringType}
			}
			return slow(p, args, site)
		}
	case func(string) string:
		return func(p *Program, args []Value, site ast.Node) Value {
			if len(args) == 1 {
				if a, ok := String(args[0]); ok {
					p.charge(len(a))
					return Text{f(a), stringType}
				}
			}
			return slow(p, args, site)
		}
	}
	return slow
}

func twoTexts(args []Value) (a, b string, ok bool) {
	if len(args) != 2 {
		return "", "", false
	}
	a, ok1 := String(args[0])
	b, ok2 := String(args[1])
	return a, b, ok1 && ok2
}

// slowly makes a native function of a Go function of whatever form.
func slowly(name string, fn reflect.Value) nativeFunc {
	return func(p *Program, args []Value, _ ast.Node) Value {
		t := fn.Type()
		if len(args) != t.NumIn() && !(t.IsVariadic() && len(args) >= t.NumIn()-1) {
			return unknownf("the arguments of %s", name)
		}
		in := make([]reflect.Value, len(args))
		for i, arg := range args {
			if text, ok := String(arg); ok {
				p.charge(4 * len(text))
			}
			want := t.In(min(i, t.NumIn()-1))
			if t.IsVariadic() && i >= t.NumIn()-1 {
				want = want.Elem()
			}
			v, ok := goValue(arg, want)
			if !ok {
				return firstUnknown(append(args, unknownf("an argument of %s", name))...)
			}
			in[i] = v
		}
		out := fn.Call(in)
		values := make(tuple, len(out))
		for i, v := range out {
			values[i] = fromGo(v)
		}
		if len(values) == 1 {
			return values[0]
		}
		return values
	}
}

// goValue returns v as a value of a Go type.
func goValue(v Value, want reflect.Type) (reflect.Value, bool) {
	switch want.Kind() {
	case reflect.String:
		text, ok := String(v)
		return reflect.ValueOf(text), ok
	case reflect.Bool:
		b, ok := Bool(v)
		return reflect.ValueOf(b), ok
	case reflect.Int, reflect.Int32, reflect.Int64, reflect.Uint8:
		n, ok := Int(v)
		if want.Kind() == reflect.Int {
			n = min(max(n, math.MinInt), math.MaxInt) // a count or an index, where this does the same
		}
		return reflect.ValueOf(n).Convert(want), ok
	case reflect.Slice:
		texts, ok := texts(v)
		return reflect.ValueOf(texts), ok
	}
	return reflect.Value{}, false
}

// texts returns the elements of a slice of strings.
func texts(v Value) ([]string, bool) {
	if _, ok := v.(Nil); ok {
		return nil, true
	}
	s, ok := v.(*Slice)
	if !ok || s.Open != nil {
		return nil, false
	}
	list := make([]string, len(s.Elems))
	for i, c := range s.Elems {
		if list[i], ok = String(c.Get()); !ok {
			return nil, false
		}
	}
	return list, true
}

func fromGo(v reflect.Value) Value {
	switch v.Kind() {
	case reflect.String:
		return Text{v.String(), stringType}
	case reflect.Bool:
		return boolValue(v.Bool())
	case reflect.Int:
		return Number{constant.MakeInt64(v.Int()), intType}
	case reflect.Slice:
		return stringSlice(v.Interface().([]string), textsType)
	}
	return unknownf("a result")
}

func stringSlice(list []string, t *Type) Value {
	s := &Slice{Type: t}
	for _, text := range list {
		s.Elems = append(s.Elems, &Cell{val: Text{text, stringType}})
	}
	return s
}

// plain returns a value as fmt prints it with %v and its like.
func plain(v Value) (any, bool) {
	if printsItself(basicType(v)) {
		return nil, false
	}
	switch v := v.(type) {
	case Text:
		if v.Type == errorType {
			return errors.New(v.S), true
		}
		return v.S, true
	case Truth:
		return v.B, true
	case Number:
		isFloat := v.V.Kind() == constant.Float
		if v.Type != nil {
			isFloat = v.Type.under().kind == kindFloat
		}
		if isFloat {
			f, _ := constant.Float64Val(v.V)
			if v.Type != nil && v.Type.under().bits == 32 {
				return float32(f), true
			}
			return f, true
		}
		if n, ok := Int(v); ok {
			if v.Type == durationType {
				return time.Duration(n), true
			}
			return n, true
		}
	case Nil:
		switch {
		case v.Type == nil || printsItself(v.Type):
		case v.Type.under().kind == kindInterface:
			return nil, true
		case v.Type.under().kind == kindSlice && !printsItself(v.Type.under().elem):
			return []string(nil), true
		}
	case *Slice:
		for _, c := range v.Elems {
			if t := basicType(c.Get()); t == errorType || printsItself(t) {
				return nil, false
			}
		}
		list, ok := texts(v)
		return list, ok && !printsItself(v.Type)
	}
	return nil, false
}

// printsItself reports whether values of a type have methods that fmt calls,
// or may have.
func printsItself(t *Type) bool {
	if t == nil || t == errorType {
		return false
	}
	return t == unknownType || t.name != "" && (t.method("String") != nil || t.method("Error") != nil || t.method("Format") != nil)
}

func plainArgs(p *Program, args []Value) ([]any, *Unknown) {
	list := make([]any, len(args))
	for i, arg := range args {
		if text, ok := String(arg); ok {
			p.charge(len(text))
		}
		v, ok := plain(arg)
		if !ok {
			return nil, firstUnknown(arg)
		}
		list[i] = v
	}
	return list, nil
}

func sprintf(p *Program, args []Value, _ ast.Node) Value {
	list, why := plainArgs(p, args)
	if why != nil {
		return why
	}
	format, ok := "", false
	if len(list) > 0 {
		format, ok = list[0].(string)
	}
	if !ok || special(format) {
		return unknownf("what fmt.Sprintf formats")
	}
	text := fmt.Sprintf(format, list[1:]...)
	if strings.Contains(text, "%!") { // a mistake, which is told with the type
		return unknownf("what fmt.Sprintf formats")
	}
	return textOf(text)
}

// errorf is fmt.Errorf.
func errorf(p *Program, args []Value, _ ast.Node) Value {
	if len(args) > 0 {
		if format, ok := args[0].(Text); ok {
			// %w prints as %v does.
			args = append([]Value{Text{strings.ReplaceAll(format.S, "%w", "%v"), format.Type}}, args[1:]...)
		}
	}
	return asError(sprintf(p, args, nil))
}

// newError is errors.New.
func newError(p *Program, args []Value, _ ast.Node) Value { return asError(first(args)) }

func asError(v Value) Value {
	if text, ok := v.(Text); ok {
		return Text{text.S, errorType}
	}
	return firstUnknown(v)
}

// special reports whether a format has a verb or flag that tells of types,
// which are not kept, or a width that could fill the memory.
func special(format string) bool {
	inVerb, digits := false, 0
	for _, r := range format {
		switch {
		case r == '%':
			inVerb, digits = !inVerb, 0
		case !inVerb:
		case strings.ContainsRune("#*Tp", r):
			return true
		case r >= '0' && r <= '9':
			if digits++; digits > 3 {
				return true
			}
		case strings.ContainsRune("+- .[]", r):
			digits = 0
		default:
			inVerb = false
		}
	}
	return false
}

func sprint(p *Program, args []Value, _ ast.Node) Value {
	list, why := plainArgs(p, args)
	if why != nil {
		return why
	}
	return textOf(fmt.Sprint(list...))
}

// itoa is strconv.Itoa where int has the size of intType.
func itoa(n int64) string { return strconv.FormatInt(n, 10) }

func atoi(p *Program, args []Value, _ ast.Node) Value {
	text, ok := String(first(args))
	if !ok {
		why := firstUnknown(first(args))
		return tuple{why, why}
	}
	n, err := strconv.ParseInt(text, 10, intType.bits)
	number := Number{constant.MakeInt64(n), intType}
	if numError, ok := err.(*strconv.NumError); ok {
		numError.Func = "Atoi"
		return tuple{number, Text{err.Error(), errorType}}
	}
	return tuple{number, Nil{anyType}}
}

func first(args []Value) Value {
	if len(args) == 0 {
		return unknownf("an argument")
	}
	return args[0]
}

func repeat(p *Program, args []Value, _ ast.Node) Value {
	if len(args) != 2 {
		return unknownf("strings.Repeat")
	}
	text, ok1 := String(args[0])
	n, ok2 := Int(args[1])
	if !ok1 || !ok2 || n < 0 || n > maxText || int64(len(text))*n > maxText {
		return firstUnknown(args...)
	}
	return textOf(strings.Repeat(text, int(n)))
}

func splitSeq(p *Program, args []Value, _ ast.Node) Value {
	if len(args) != 2 {
		return unknownf("strings.SplitSeq")
	}
	text, ok1 := String(args[0])
	sep, ok2 := String(args[1])
	if !ok1 || !ok2 {
		return firstUnknown(args...)
	}
	return stringSlice(strings.Split(text, sep), seqType)
}

func fieldsSeq(p *Program, args []Value, _ ast.Node) Value {
	text, ok := String(first(args))
	if !ok {
		return firstUnknown(args...)
	}
	return stringSlice(strings.Fields(text), seqType)
}

// find returns where v is in a slice, or -1.
func find(args []Value) (int, *Unknown) {
	if len(args) != 2 {
		return 0, unknownf("the arguments of a search")
	}
	if _, ok := args[0].(Nil); ok {
		return -1, nil
	}
	s, ok := args[0].(*Slice)
	if !ok {
		return 0, firstUnknown(args...)
	}
	var doubt *Unknown
	for i, c := range s.Elems {
		eq, known := equal(c.Get(), args[1])
		switch {
		case !known:
			doubt = firstUnknown(c.Get(), args[1])
		case eq && doubt == nil && s.Open != nil && i >= s.sure:
			return i, s.Open
		case eq && doubt == nil:
			return i, nil
		case eq:
			return i, doubt
		}
	}
	if doubt == nil {
		doubt = s.Open
	}
	return -1, doubt
}

func contains(p *Program, args []Value, _ ast.Node) Value {
	i, doubt := find(args)
	if doubt != nil && i < 0 {
		return doubt
	}
	return boolValue(i >= 0)
}

func indexOf(p *Program, args []Value, _ ast.Node) Value {
	i, doubt := find(args)
	if doubt != nil {
		return doubt
	}
	return intValue(i)
}

func clone(p *Program, args []Value, _ ast.Node) Value {
	s, ok := first(args).(*Slice)
	if !ok {
		return first(args)
	}
	c := &Slice{Type: s.Type, Open: s.Open, sure: s.sure, roomy: true}
	for _, e := range s.Elems {
		c.Elems = append(c.Elems, &Cell{copyOf(e.Get()), e.Node})
	}
	return c
}

// sortSlice sorts a slice of strings in place.
func sortSlice(p *Program, args []Value, _ ast.Node) Value {
	s, ok := first(args).(*Slice)
	if !ok {
		p.exposed(first(args), unknownf("the order of a slice"), false)
		return tuple{}
	}
	list, ok := texts(s)
	if !ok {
		p.exposed(s, unknownf("the order of a slice"), false)
		return tuple{}
	}
	slices.Sort(list)
	for i, text := range list {
		p.set(s.Elems[i], Text{text, basicType(s.Elems[i].val)})
	}
	return tuple{}
}

// mapText is strings.Map.
func mapText(p *Program, args []Value, node ast.Node) Value {
	if len(args) != 2 {
		return unknownf("strings.Map")
	}
	fn, ok1 := args[0].(*Func)
	text, ok2 := String(args[1])
	if !ok1 || !ok2 {
		return firstUnknown(args...)
	}
	var out strings.Builder
	for _, r := range text {
		n, ok := Int(p.call(fn, []Value{intValue(int(r))}, nil))
		if !ok {
			return unknownf("what strings.Map makes")
		}
		if n >= 0 {
			out.WriteRune(rune(n))
		}
	}
	return textOf(out.String())
}

// textOf returns a string.
func textOf(s string) Text { return Text{s, stringType} }
