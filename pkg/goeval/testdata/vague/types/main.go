// Types, constants and what they are printed as.
package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

func main() {
	for _, line := range Out {
		fmt.Println(line)
	}
}

type Color int

const (
	Red Color = iota
	Green
	_
	Blue
	Last = Blue + 1
)

const (
	KB = 1 << (10 * (iota + 1))
	MB
)

const (
	a0, b0 = iota, iota * 10
	a1, b1
	_, _
	a3, b3
)

func (c Color) String() string { return [...]string{"red", "green", "", "blue"}[c] }

type Name string

func (n Name) String() string { return "<" + string(n) + ">" }

type Plain string

type Err struct{ msg string }

func (e *Err) Error() string { return e.msg }

func mayFail(fail bool) error {
	var e *Err
	if fail {
		e = &Err{"failed"}
	}
	return e
}

func small() uint8                 { return 200 }
func float() float64               { return 7 }
func rest(l ...uint8) uint8        { return l[0] + 100 }
func text(r ...rune) string        { return string(r) }
func id[X any](x X) X              { return x }
func twice[X ~uint8 | ~int](x X) X { return x + x }

type X struct{ A string }

func (x X) Who() string { return "X" }

type D0 struct{ V string }
type D1 struct{ D0 }
type D2 struct{ V string }
type D struct {
	D1
	D2
}

type Base struct{ Name string }

func (b *Base) SetName(s string) { b.Name = s }
func (b Base) Hello() string     { return "base " + b.Name }

type Derived struct {
	*Base
	Extra string
}

func (d Derived) Hello() string { return "derived " + d.Base.Hello() }

type Shadow struct{ Inner }
type Inner struct{ Name string }

func (s Shadow) Name() string { return "method" }

type T1 struct{ A string }

func (T1) Kind() string { return "T1" }

type T2 T1

func (T2) Kind() string { return "T2" }

var Out = []string{
	fmt.Sprint(Red, Green, Blue, Last-1),
	fmt.Sprintf("%v %d %s", Green, Green, Blue),
	fmt.Sprint(KB, MB, a1, b1, a3, b3),
	fmt.Sprintf("%v %s %q", Name("n"), Name("n"), Name("n")),
	fmt.Sprint(Plain("p"), "q", Plain("r"), 1, 2, "s"),
	func() string { var x uint8; x = 200; x += 100; return fmt.Sprint(x) }(),
	func() string { x := small(); x += 100; return fmt.Sprint(x) }(),
	func() string { x := uint8(200); y := x * 2; return fmt.Sprint(y, uint8(x+x)) }(),
	func() string { n := 300; return fmt.Sprint(uint8(n), int8(n), uint16(n)) }(),
	func() string { x := float(); return fmt.Sprint(x/2, x) }(),
	func() string { var x float64 = 7; return fmt.Sprint(x/2, int(x)/2, 7/2, 7/2.0) }(),
	func() string { a, b := 0.1, 0.2; return fmt.Sprint(a+b, a+b == 0.3) }(),
	func() string { var f float32 = 0.1; return fmt.Sprint(f, float64(f)) }(),
	func() string { x := 1e100; return fmt.Sprint(x, 1e20, 1e21) }(),
	func() string { x := -7; return fmt.Sprint(x/2, x%3, x>>1, -x, ^x) }(),
	func() string { var x uint8 = 1; return fmt.Sprint(-x, ^x, x<<7, x<<8) }(),
	func() string { n := 70; return fmt.Sprint(1<<n == 0) }(),
	func() string { var n uint = 9; var x uint8 = 1 << n; return fmt.Sprint(x) }(),
	func() string { x := int64(-9223372036854775808); return fmt.Sprint(x/-1 == x) }(),
	func() string { return fmt.Sprint(rest(200)) + text('é', 'x') }(),
	func() string { var r []rune; r = append(r, 'é'); return string(r) }(),
	func() string { var b []byte; b = append(b, "é"...); return string(b) + fmt.Sprint(len(b)) }(),
	func() string { b := []byte("abc"); b[0] = 'x'; return string(b) }(),
	func() string {
		r := ""
		for i, c := range "aé\xffz" {
			r += fmt.Sprint(i, c, " ")
		}
		return r
	}(),
	func() string { s := "é"; return fmt.Sprint(len(s), s[0], s[1:] == "\xa9", string(s[0])) }(),
	func() string { c := 'a'; c++; return string(c) + fmt.Sprint(c) }(),
	func() string { c := 'a'; c *= 100000000; return fmt.Sprint(c) }(),
	func() string { return fmt.Sprint(mayFail(false) == nil, mayFail(true) == nil) }(),
	func() string {
		var e error = (*Err)(nil)
		var p *Err
		var f error
		f = p
		return fmt.Sprint(e == nil, f == nil)
	}(),
	func() string {
		a, b := errors.New("x"), errors.New("x")
		return fmt.Sprint(a == b, a == a, a, b.Error())
	}(),
	func() string {
		e := errors.New("x")
		f := fmt.Errorf("y: %w", e)
		return fmt.Sprint(errors.Is(f, e), f, e)
	}(),
	func() string { _, err := strconv.Atoi("x"); return fmt.Sprint(err != nil, err) }(),
	func() string { n, err := strconv.Atoi("7"); return fmt.Sprint(n+1, err == nil, err) }(),
	func() string {
		var x any = 1
		var y any = int64(1)
		return fmt.Sprint(x == y, x == any(1), y == any(1))
	}(),
	func() string { var x any = Plain("s"); return fmt.Sprint(x == any("s"), x == any(Plain("s"))) }(),
	func() string {
		m := map[any]string{1: "int", int64(1): "int64", "1": "s"}
		return m[1] + m[int64(1)] + m["1"] + fmt.Sprint(len(m))
	}(),
	func() string {
		type P struct{ x, y int }
		m := map[P]string{{1, 2}: "a"}
		return m[P{1, 2}] + fmt.Sprint(P{1, 2} == P{1, 2}, P{} == P{1, 0})
	}(),
	func() string { m := map[[2]int]string{{1, 2}: "a"}; return m[[2]int{1, 2}] }(),
	func() string { return fmt.Sprint([2]int{1, 2} == [2]int{1, 2}, [1]string{"a"} != [1]string{"b"}) }(),
	func() string { return fmt.Sprint(1500*time.Millisecond, time.Duration(90)*time.Second, 2*time.Hour) }(),
	func() string { d := 3 * time.Second; return fmt.Sprintf("%v %d %s %q", d, d, d, d.String()) }(),
	func() string { var d time.Duration = 1 << 62; d *= 4; return fmt.Sprint(d) }(),
	func() string {
		var s []string
		var m map[string]int
		var p *int
		var e error
		return fmt.Sprint(s, m, p, e, nil)
	}(),
	func() string { s := []string{}; return fmt.Sprint(s == nil, s, len(s)) }(),
	func() string { return fmt.Sprint([]string{"a", "b"}, []int{1}, []Name{"n"}, []any{"a", 1, nil}) }(),
	func() string {
		return fmt.Sprintf("%s|%d|%v|%x|%5s|%-5s|%05d|%t|%c|%U|%e", "s", "d", 1.5, "hex", "r", "l", 42, true, 'x', 'y', 1.5)
	}(),
	func() string { return fmt.Sprintf("%10T|%[1]T|%-5p", 1) }(),
	func() string { return fmt.Sprintf("%d %s", 1) + fmt.Sprintf("%d", 1, 2) + fmt.Sprintf("%d", int8(1)) }(),
	func() string { return fmt.Sprintf("%+#v %# x %%#", "s", "s") }(),
	func() string { return fmt.Sprint(X{"a"}, &X{"b"}, struct{}{}) }(),
	func() string { return fmt.Sprintf("%v %+v", X{"a"}, X{"a"}) }(),
	func() string { d := D{D1{D0{"deep"}}, D2{"shallow"}}; return d.V }(),
	func() string {
		d := Derived{&Base{"b"}, "e"}
		d.SetName("x")
		e := d
		e.SetName("y")
		return d.Name + d.Hello() + e.Base.Name
	}(),
	func() string { s := Shadow{Inner{"field"}}; return s.Name() + s.Inner.Name }(),
	func() string { t := T1{"a"}; u := T2(t); u.A = "b"; return t.Kind() + u.Kind() + t.A + u.A }(),
	func() string { f := (*Base).SetName; g := Base.Hello; b := Base{"a"}; f(&b, "z"); return g(b) }(),
	func() string { return fmt.Sprint(id(3), id("s"), id[uint8](200)+100) }(),
	func() string { return fmt.Sprint(twice[uint8](200), twice(200)) }(),
	func() string {
		var x any = "s"
		s, ok := x.(string)
		n, ok2 := x.(int)
		return fmt.Sprint(s, ok, n, ok2)
	}(),
	func() string {
		var x any = X{"a"}
		w, ok := x.(interface{ Who() string })
		return fmt.Sprint(ok) + w.Who()
	}(),
	func() string {
		var x any = 3
		switch v := x.(type) {
		case int:
			return fmt.Sprint("int", v)
		case string:
			return v
		}
		return "none"
	}(),
	func() string {
		x := "outer"
		if x := "inner"; x != "" {
			x += "!"
		}
		{
			x := 1
			x++
		}
		return x
	}(),
	func() string {
		true := false
		nil := "n"
		len := func(string) int { return 42 }
		return fmt.Sprint(true, nil, len("x"))
	}(),
	func() string {
		const c = 10
		type E int
		var e E = c
		const d = c / 4 * 1.0
		return fmt.Sprint(e, d, c/4.0)
	}(),
	func() string { const big = 1 << 100; return fmt.Sprint(big >> 98) }(),
	func() string { x := [...]string{2: "c", 0: "a"}; return fmt.Sprint(len(x), x[2], x[1] == "") }(),
	func() string {
		return strings.Map(func(r rune) rune {
			if r == 'a' {
				return -1
			}
			return r + 1
		}, "abc")
	}(),
	func() string { return fmt.Sprint(min(3, 1, 2), max(1.5, 2), min("b", "a")) }(),
	func() string { x, y := 7, 0.0; return fmt.Sprint(1/(y+2), x&^5, x|8, x^2) }(),
	func() string { y := 0.0; return fmt.Sprint(1/y > 1) }(),
	func() string { f := 3.7; return fmt.Sprint(int(f), int(-f), uint8(f)) }(),
	func() string { c := complex(1, 2); return fmt.Sprint(real(c)) }(),
	func() string { var p *T1; return fmt.Sprint(p == nil) }(),
	func() string { p, q := &X{"a"}, &X{"a"}; r := p; return fmt.Sprint(p == q, p == r, *p == *q) }(),
	func() string {
		var f func()
		var c chan int
		var a any
		return fmt.Sprint(f == nil, c == nil, a == nil)
	}(),
	func() string { s := "abc"; return fmt.Sprint(s > "abb", s[1:] < "z", strings.Compare(s, "b")) }(),
	func() string {
		n := 0
		n++
		n--
		n -= 5
		n *= -3
		n %= 4
		n <<= 3
		n |= 1
		n &= 25
		return fmt.Sprint(n)
	}(),
	func() string {
		var b byte = 'a'
		return fmt.Sprintf("%v %c %q %x", b, b, b, []byte("hi")) + string(rune(b))
	}(),
}
