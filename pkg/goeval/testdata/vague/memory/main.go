// Variables that share memory, or do not.
package main

import (
	"fmt"
	"slices"
	"sort"
	"strings"
)

func main() {
	for _, line := range Out {
		fmt.Println(line)
	}
}

type T struct {
	A, B string
	L    []string
	N    int
}

func (t T) get() string          { return t.A }
func (t *T) set(s string)        { t.A = s }
func (t *T) reset()              { *t = T{A: "reset"} }
func (t T) lost() T              { t.A = "lost"; return t }
func (t *T) self() *T            { return t }
func change(t T)                 { t.A = "changed"; t.L[0] = "changed" }
func changeP(t *T)               { t.A = "changed" }
func list(l ...string) string    { return strings.Join(l, " ") }
func first(l []string, s string) { l[0] = s }
func grow(l []string) []string   { return append(l, "grown") }

type L []string

func (l *L) add(s string) { *l = append(*l, s) }
func (l L) text() string  { return strings.Join(l, "+") }

var Out = []string{
	func() string { a := []string{"a"}; b := append(a, "b"); b[0] = "x"; return a[0] + b[0] }(),
	func() string {
		a := make([]string, 0, 10)
		b := append(a, "b")
		c := append(a, "c")
		return b[0] + c[0]
	}(),
	func() string { a := []string{"a", "b", "c"}; b := append(a[:1], "x"); return list(a...) + list(b...) }(),
	func() string { a := []string{"a", "b", "c"}; b := append(a[:1:1], "x"); return list(a...) + list(b...) }(),
	func() string { a := []string{"a", "b", "c"}; b := a[1:]; b[0] = "x"; return list(a...) }(),
	func() string {
		a := []string{"a"}
		a = append(a, "b", "c", "d")
		b := a
		a = append(a, "e")
		a[0] = "x"
		return b[0]
	}(),
	func() string {
		a := []string{"a"}
		a = append(a, "b")
		a = append(a, "c")
		b := append(a, "d")
		c := append(a, "e")
		return b[3] + c[3]
	}(),
	func() string {
		var a []string
		for i := range 5 {
			a = append(a, fmt.Sprint(i))
		}
		a[0] = "x"
		return list(a...)
	}(),
	func() string { a := []string{"a"}; b := a; b[0] = "x"; return a[0] }(),
	func() string { a := [2]string{"a", "b"}; b := a; b[0] = "x"; return a[0] + b[0] }(),
	func() string { a := [2]string{"a", "b"}; s := a[:]; t := s; t[0] = "x"; return a[0] + s[0] }(),
	func() string { a := [2]string{"a", "b"}; p := &a; p[0] = "x"; return a[0] }(),
	func() string {
		a := []string{"a", "b", "c"}
		r := ""
		for i, s := range a {
			if i == 0 {
				a[1] = "x"
			}
			r += s
		}
		return r
	}(),
	func() string {
		a := [3]string{"a", "b", "c"}
		r := ""
		for i, s := range a {
			if i == 0 {
				a[1] = "x"
			}
			r += s
		}
		return r
	}(),
	func() string {
		a := []string{"a", "b"}
		for _, s := range a {
			a = append(a, s)
		}
		return list(a...)
	}(),
	func() string { t := T{A: "a"}; u := t; u.A = "x"; return t.A }(),
	func() string { t := T{A: "a", L: []string{"l"}}; u := t; u.L[0] = "x"; return t.L[0] }(),
	func() string { t := T{A: "a", L: []string{"l"}}; change(t); return t.A + t.L[0] }(),
	func() string { t := T{A: "a"}; changeP(&t); return t.A }(),
	func() string { t := T{A: "a"}; t.set("x"); return t.A }(),
	func() string { t := T{A: "a"}; t.reset(); return t.A }(),
	func() string { t := &T{A: "a"}; t.reset(); return t.A }(),
	func() string { t := T{A: "a"}; p := &t.A; t = T{A: "new"}; return *p }(),
	func() string { t := T{A: "a"}; p := &t.A; *p = "x"; return t.A }(),
	func() string { t := T{A: "a"}; p := &t; t = T{A: "new"}; p.B = "b"; return t.A + t.B + p.A }(),
	func() string { t := T{A: "a"}; f := t.get; t.A = "x"; return f() }(),
	func() string { t := T{A: "a"}; f := t.set; f("x"); return t.A }(),
	func() string { t := &T{A: "a"}; f := t.get; t.A = "x"; return f() }(),
	func() string { t := T{A: "a"}; u := t.lost(); return t.A + u.A }(),
	func() string { t := T{A: "a"}; p := t.self(); p.A = "x"; return fmt.Sprint(t.A, p == &t) }(),
	func() string {
		ts := []T{{A: "a"}, {A: "b"}}
		for _, t := range ts {
			t.A = "x"
		}
		return ts[0].A
	}(),
	func() string {
		ts := []T{{A: "a"}, {A: "b"}}
		for i := range ts {
			ts[i].set("x")
		}
		return ts[0].A
	}(),
	func() string {
		ts := []*T{{A: "a"}, {A: "b"}}
		for _, t := range ts {
			t.A = "x"
		}
		return ts[0].A
	}(),
	func() string { m := map[string]T{"k": {A: "a"}}; t := m["k"]; t.A = "x"; return m["k"].A }(),
	func() string {
		m := map[string]*T{"k": {A: "a"}}
		m["k"].A += "x"
		m["k"].N++
		return m["k"].A + fmt.Sprint(m["k"].N)
	}(),
	func() string {
		m := map[string]int{}
		m["a"]++
		m["a"] += 2
		m["b"] |= 4
		return fmt.Sprint(m["a"], m["b"], len(m))
	}(),
	func() string { a, b := "a", "b"; a, b = b, a; return a + b }(),
	func() string { x := []int{0, 0, 0}; i := 0; i, x[i] = 1, 2; return fmt.Sprint(i, x[0], x[1]) }(),
	func() string { x := []int{5, 6, 7}; i := 0; x[i], i = 9, 2; return fmt.Sprint(i, x[0], x[2]) }(),
	func() string { x := []string{"a", "b", "c"}; x[0], x[1], x[2] = x[2], x[0], x[1]; return list(x...) }(),
	func() string {
		n := 0
		f := func() int { n++; return n }
		x := []int{1, 2, 3}
		x[f()] += 5
		return fmt.Sprint(n, x[0], x[1], x[2])
	}(),
	func() string {
		n := 0
		f := func() *T { n++; return &T{} }
		f().N++
		f().N += 2
		f().set("x")
		return fmt.Sprint(n)
	}(),
	func() string { var l L; l.add("a"); l.add("b"); return l.text() + fmt.Sprint(len(l)) }(),
	func() string { a := []string{"b", "a"}; b := a; sort.Strings(a); return list(b...) }(),
	func() string { a := []string{"b", "a"}; b := slices.Clone(a); slices.Sort(a); return list(b...) }(),
	func() string {
		a := []string{"b", "a", "c"}
		sort.Slice(a, func(i, j int) bool { return a[i] > a[j] })
		return list(a...)
	}(),
	func() string {
		a := []int{3, 1, 2}
		slices.SortFunc(a, func(x, y int) int { return x - y })
		return fmt.Sprint(a[0])
	}(),
	func() string { a := []int{3, 1, 2}; sort.Ints(a); return fmt.Sprint(a[0]) }(),
	func() string { a := []string{"a", "b"}; first(a, "x"); return a[0] }(),
	func() string { a := []string{"a", "b"}; b := grow(a); b[0] = "x"; return a[0] }(),
	func() string { a := make([]string, 1, 5); a[0] = "a"; b := grow(a); b[0] = "x"; return a[0] }(),
	func() string {
		a := []string{"a", "b", "c", "d"}
		n := copy(a[1:], a)
		return fmt.Sprint(n) + list(a...)
	}(),
	func() string { a := []string{"a", "b"}; a = append(a[:0], a[1:]...); return list(a...) }(),
	func() string { a := []string{"a", "b", "c"}; b := a; a = append(a[:1], a[2:]...); return list(b...) }(),
	func() string { a := []string{"a", "b", "c"}; b := slices.Delete(a, 0, 1); return list(b...) + a[0] }(),
	func() string { a := []string{"a", "b", "c"}; slices.Reverse(a); return list(a...) }(),
	func() string { var b strings.Builder; b.WriteString("x"); fmt.Fprintf(&b, "%d", 1); return b.String() }(),
	func() string {
		m := map[string]string{"a": "1"}
		n := m
		n["b"] = "2"
		delete(n, "a")
		return fmt.Sprint(len(m), m["b"])
	}(),
	func() string { var m map[string]string; return m["x"] + fmt.Sprint(len(m), m == nil) }(),
	func() string {
		m := map[string][]string{}
		m["a"] = append(m["a"], "x")
		m["a"] = append(m["a"], "y")
		return list(m["a"]...)
	}(),
	func() string { var s []string; t := s[:0]; return fmt.Sprint(s == nil, t == nil, len(t)) }(),
	func() string { x := 1; p := &x; q := &p; **q = 5; return fmt.Sprint(x) }(),
	func() string { x, y := 1, 2; p := &x; *p, p = 7, &y; *p = 8; return fmt.Sprint(x, y) }(),
	func() string {
		var ps []*int
		for i := range 3 {
			ps = append(ps, &i)
		}
		return fmt.Sprint(*ps[0], *ps[1], *ps[2])
	}(),
	func() string {
		var ps []*int
		for i := 0; i < 3; i++ {
			ps = append(ps, &i)
		}
		return fmt.Sprint(*ps[0], *ps[1], *ps[2])
	}(),
	func() string {
		var fs []func() int
		for i := 0; i < 3; i++ {
			fs = append(fs, func() int { i *= 2; return i })
		}
		return fmt.Sprint(fs[0](), fs[1](), fs[2](), fs[2]())
	}(),
	func() string {
		r := ""
		for i := 0; i < 6; i++ {
			f := func() { i++ }
			f()
			r += fmt.Sprint(i)
		}
		return r
	}(),
	func() string {
		var s struct{ x, y []int }
		s.x = []int{1}
		t := s
		t.x[0] = 2
		t.y = append(t.y, 3)
		return fmt.Sprint(s.x[0], len(s.y))
	}(),
	func() string {
		a := [2][2]int{{1, 2}, {3, 4}}
		b := a
		b[0][0] = 9
		r := &a[1]
		r[0] = 8
		return fmt.Sprint(a[0][0], a[1][0], b[1][0])
	}(),
	func() string { a := []T{{A: "a"}}; p := &a[0]; a = append(a, T{A: "b"}); p.A = "x"; return a[0].A }(),
	func() string { a := []T{{A: "a"}}; b := append([]T(nil), a...); b[0].A = "x"; return a[0].A }(),
	func() string {
		t := struct{ T }{T{A: "a"}}
		t.set("x")
		u := t
		u.A = "y"
		return t.A + t.get() + u.T.A
	}(),
	func() string {
		a := []string{"a", "b", "c"}
		a = a[:2]
		a = append(a, "x")
		a = append(a, "y")
		a[0] = "z"
		return list(a...)
	}(),
	func() string {
		f := func(l ...string) { l[0] = "x" }
		a := []string{"a"}
		f(a...)
		b := "b"
		f(b)
		return a[0] + b
	}(),
	func() string {
		a := make([]int, 3)
		b := a[1:2]
		b = append(b, 7)
		return fmt.Sprint(a[2], len(b), b[1])
	}(),
	func() string { a := []*T{{A: "a"}}; b := append(a, &T{A: "b"}); b[0].A = "x"; return a[0].A }(),
	func() string { t := T{A: "a"}; m := map[string]T{"k": t}; t.A = "x"; return m["k"].A }(),
	func() string { t := T{A: "a"}; s := []T{t}; t.A = "x"; return s[0].A }(),
	func() string { t := T{A: "a"}; var i any = t; t.A = "x"; return i.(T).A + t.A }(),
	func() string { t := &T{A: "a"}; var i any = t; i.(*T).A = "x"; return t.A }(),
	func() string {
		t := &T{A: "a"}
		var i any = t
		if u, ok := i.(*T); ok {
			u.A = "x"
		}
		return t.A
	}(),
	func() string {
		t := &T{A: "a"}
		var i any = t
		switch u := i.(type) {
		case *T:
			u.A = "x"
		}
		return t.A
	}(),
	func() string { f := func() (t T) { defer func() { t.A = "d" }(); return T{A: "a"} }; return f().A }(),
	func() string {
		a := []string{"a", "b"}
		clear(a)
		m := map[string]int{"a": 1}
		clear(m)
		return a[0] + fmt.Sprint(len(m))
	}(),
}
