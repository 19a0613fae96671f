// What hangs on a condition that is not known.
package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
)

func main() {
	for _, line := range Out {
		fmt.Println(line)
	}
}

func maybe() bool { return os.Getenv("MAYBE") != "" }

type T struct {
	A, B string
	P    *T
}

var global = "g"

func elseSets() {
	if maybe() {
		return
	} else {
		global = "else"
	}
}

func switchSets() {
	switch os.Getenv("MAYBE") {
	case "1":
	case "yes":
		global = "yes"
		return
	default:
	}
}

func chainSets() {
	if os.Getenv("MAYBE") == "1" {
	} else if maybe() {
		global = "chain"
		return
	} else {
		_ = 1
	}
}

func named() (s string) {
	defer func() { s += "deferred" }()
	s = "a"
	return s + "b"
}

func namedMaybe() (s string) {
	if maybe() {
		defer func() { s = "maybe" }()
	}
	return "a"
}

func recovers() (s string) {
	defer func() {
		if r := recover(); r != nil {
			s = "recovered"
		}
	}()
	s = "before"
	var l []int
	_ = l[2]
	return "not reached"
}

func order() (s string) {
	for i := range 3 {
		defer func() { s += fmt.Sprint(i) }()
	}
	x := "arg"
	defer func(y string) { s += y + x }(x)
	x = "later"
	return ">"
}

func rec(n int) string {
	if n == 0 || maybe() {
		return "end"
	}
	return rec(n - 1)
}

func early(n int) int {
	for i := range n {
		if maybe() {
			return 1
		}
		if i == 2 {
			return 2
		}
	}
	return 3
}

var initial = func() string { return "init " + second }()
var second = third()

func third() string { return "third" }

var Out = []string{
	func() string { global = "g"; elseSets(); return global }(),
	func() string { global = "g"; switchSets(); return global }(),
	func() string { global = "g"; chainSets(); return global }(),
	named(), namedMaybe(), recovers(), order(), rec(3), fmt.Sprint(early(5)), initial,
	func() string {
		a, b := "a", "b"
		p := &a
		if maybe() {
			p = &b
		}
		*p = "x"
		return a + b
	}(),
	func() string {
		a, b := "a", "b"
		p := &a
		if maybe() {
			p = &b
		}
		*p = "x"
		a = "y"
		return a
	}(),
	func() string {
		a, b := &T{A: "a"}, &T{A: "b"}
		p := a
		if maybe() {
			p = b
		}
		p.A = "x"
		return a.A + b.A
	}(),
	func() string {
		a, b := &T{A: "a"}, &T{A: "b"}
		p := a
		if maybe() {
			p = b
		}
		p.P = &T{}
		q := p.P
		q.A = "x"
		return a.A
	}(),
	func() string {
		m, n := map[string]string{"k": "m"}, map[string]string{"k": "n"}
		o := m
		if maybe() {
			o = n
		}
		o["k"] = "x"
		return m["k"] + n["k"]
	}(),
	func() string {
		l := []*T{{A: "a"}, {A: "b"}}
		i := 0
		if maybe() {
			i = 1
		}
		l[i].A = "x"
		return l[0].A + l[1].A
	}(),
	func() string {
		l := []string{"a", "b"}
		i := 0
		if maybe() {
			i = 1
		}
		l[i] = "x"
		return l[0] + l[1]
	}(),
	func() string {
		l := []string{"a", "b"}
		i := 0
		if maybe() {
			i = 1
		}
		p := &l[i]
		*p = "x"
		return l[0] + l[1]
	}(),
	func() string {
		m := map[string]*T{"a": {A: "a"}, "b": {A: "b"}}
		k := "a"
		if maybe() {
			k = "b"
		}
		m[k].A = "x"
		return m["a"].A
	}(),
	func() string {
		m := map[string]*T{"a": {A: "a"}}
		if maybe() {
			delete(m, "a")
		}
		if t, ok := m["a"]; ok {
			t.A = "x"
		}
		return fmt.Sprint(len(m))
	}(),
	func() string {
		a, b := "a", "b"
		f := func() { a = "x" }
		if maybe() {
			f = func() { b = "x" }
		}
		f()
		return a + b
	}(),
	func() string {
		a := &T{A: "a"}
		b := &T{A: "b"}
		f := a.set
		if maybe() {
			f = b.set
		}
		f("x")
		return a.A + b.A
	}(),
	func() string {
		x := "a"
		if maybe() {
			x = "b"
		} else {
			x = "b"
		}
		return x
	}(),
	func() string {
		n := 0
		for range 10 {
			if maybe() {
				break
			}
			n++
		}
		return fmt.Sprint(n)
	}(),
	func() string {
		n := 0
		for i := 0; i < 10; i++ {
			if maybe() {
				continue
			}
			n++
		}
		return fmt.Sprint(n)
	}(),
	func() string {
		n, c := 0, "c"
		for range 3 {
			switch {
			case maybe():
				n++
			default:
				n += 2
				continue
			}
			c = "d"
		}
		return fmt.Sprint(n) + c
	}(),
	func() string {
		a, b, c, d := "", "", "", ""
		i := 0
		for len(os.Getenv("MAYBE")) > i {
			if c == "y" {
				d = "z"
			}
			if b == "x" {
				c = "y"
			}
			if a == "w" {
				b = "x"
			}
			a = "w"
			i++
		}
		return d + "."
	}(),
	func() string {
		x := "a"
		for i := 0; i < len(os.Getenv("MAYBE")); i++ {
			x = "b"
			if i == 1 {
				return "ret"
			}
		}
		return x
	}(),
	func() string {
		r := ""
	outer:
		for i := range 3 {
			for j := range 3 {
				if maybe() && j == 1 {
					continue outer
				}
				if i == 2 {
					break outer
				}
				r += fmt.Sprint(i, j)
			}
		}
		return r
	}(),
	func() string {
		r := ""
		switch os.Getenv("MAYBE") {
		case "yes":
			r += "1"
			fallthrough
		case "no":
			r += "2"
		default:
			r += "3"
		}
		return r
	}(),
	func() (r string) {
		f := func() {
			switch {
			case true:
				if maybe() {
					r += "r"
					return
				}
				fallthrough
			case false:
				r += "f"
			}
		}
		f()
		return r
	}(),
	func() string {
		n := 0
		f := func() bool { n++; return true }
		_ = maybe() && f()
		_ = maybe() || f()
		return fmt.Sprint(n)
	}(),
	func() string { x := "a"; g := func() bool { x = "b"; return true }; _ = false && g(); return x }(),
	func() string {
		x := "a"
		func() {
			defer func() { recover() }()
			if maybe() {
				x = "b"
				panic("p")
			}
		}()
		return x
	}(),
	func() string { x := "a"; func() { defer func() { _ = recover() }(); x = "b"; panic("p") }(); return x }(),
	func() string {
		t := T{A: "a"}
		u := &t
		if maybe() {
			u = &T{}
		}
		*u = T{A: "x"}
		return t.A
	}(),
	func() string {
		a := []string{"a"}
		b := []string{"b"}
		s := a
		if maybe() {
			s = b
		}
		s[0] = "x"
		return a[0] + b[0]
	}(),
	func() string {
		a := []string{"b", "a"}
		s := a
		if maybe() {
			s = nil
		}
		for i := range s {
			s[i] = "x"
		}
		return a[0]
	}(),
	func() string {
		s := []string{"a"}
		if maybe() {
			s = append(s, "b")
		}
		s = append(s, "c")
		return s[0] + fmt.Sprint(len(s))
	}(),
	func() string {
		m := map[string]int{"a": 1}
		if maybe() {
			m["b"] = 2
		}
		n := 0
		for range m {
			n++
		}
		return fmt.Sprint(n, m["a"])
	}(),
	func() string {
		var n uint8
		n = uint8(len(os.Getenv("MAYBE")))
		n = 200
		n += 100
		return fmt.Sprint(n)
	}(),
	func() string { var f float64; f = float64(len(os.Getenv("MAYBE"))); f = 7; return fmt.Sprint(f / 2) }(),
	func() string {
		a := strings.Split(os.Getenv("MAYBE"), "e")
		x := "a"
		for _, s := range a {
			x += s
			if s == "" {
				break
			}
		}
		return x
	}(),
	func() string {
		t := struct{ p *string }{}
		x := "a"
		if maybe() {
			t.p = &x
		} else {
			t = struct{ p *string }{&x}
		}
		*t.p = "y"
		return x
	}(),
	func() string { var i any = &T{A: "a"}; u := i.(*T); u.A = "x"; return i.(*T).A }(),
	func() string {
		a := "a"
		var p any = &a
		if maybe() {
			*p.(*string) = "x"
		}
		return a
	}(),
	func() string {
		a := "a"
		var wg sync.WaitGroup
		wg.Go(func() { a = "b" })
		a = "c"
		wg.Wait()
		return a[:0] + "goroutine"
	}(),
	func() string {
		l := append([]string{"a"}, strings.Fields(os.Getenv("MAYBE"))...)
		l = append(l, "b")
		for _, s := range l {
			if s == "yes" {
				return "yes"
			}
			if s == "b" {
				return l[0]
			}
		}
		return l[1]
	}(),
	func() string {
		l := append([]string{"a"}, strings.Fields(os.Getenv("MAYBE"))...)
		l = append(l, "b")
		return l[0] + fmt.Sprint(slices.Index(l, "b"), slices.Contains(l, "b"), slices.Index(l, "a"))
	}(),
	func() string {
		m := map[string]string{"a": "b"}
		m["x"+os.Getenv("MAYBE")] = "yes"
		for k := range m {
			if k == "xyes" {
				return "yes"
			}
		}
		for range m {
			return "some"
		}
		return "none"
	}(),
}

func (t *T) set(s string) { t.A = s }
