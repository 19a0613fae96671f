// More of the language.
package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

func main() {
	for _, line := range Out {
		fmt.Println(line)
	}
}

func maybe() bool { return os.Getenv("MAYBE") != "" }

type Stack[E any] struct{ items []E }

func (s *Stack[E]) Push(e E) { s.items = append(s.items, e) }
func (s *Stack[E]) Pop() (e E) {
	n := len(s.items)
	e = s.items[n-1]
	s.items = s.items[:n-1]
	return
}

type E struct{}

type Animal interface{ Sound() string }
type Dog struct{ name string }
type Cat struct{ name *string }

func (d Dog) Sound() string  { return d.name + " barks" }
func (c *Cat) Sound() string { *c.name = "cat"; return *c.name }

type Fn func(string) string

func (f Fn) Twice(s string) string { return f(f(s)) }

type Config struct {
	Name string
	Env  []string
	Opt  func(*Config)
	Sub  struct{ On bool }
}

var configs = map[string]*Config{}

func add(c Config) {
	if c.Name == "" {
		c.Name = "none"
	}
	if c.Opt != nil {
		c.Opt(&c)
	}
	configs[c.Name] = &c
}

func variadic(a string, b ...string) string { return fmt.Sprint(a, len(b), b == nil) }
func pair() (string, int)                   { return "p", 2 }
func take(s string, n int) string           { return fmt.Sprint(s, n) }
func results() (a, b string)                { a = "a"; b, a = a, "x"; return }
func shadowed() (err error) {
	if _, err := fail(); err != nil {
		return err
	}
	return nil
}
func fail() (int, error) { return 0, errors.New("failed") }
func zero[T any]() T     { var t T; return t }
func loopDefer() (s string) {
	for i := 0; i < 3; i++ {
		defer func(n int) { s += fmt.Sprint(n, i) }(i)
	}
	return ""
}
func deferPanics() (s string) {
	defer func() { s = fmt.Sprint(s, recover()) }()
	defer func() { s += "second" }()
	panic("p")
}

func iter(yield func(int) bool) {
	for i := range 3 {
		counter++
		if !yield(i) {
			return
		}
	}
}

var counter = 0

type weekday int

const (
	mon weekday = iota + 1
	tue
)

var names = map[weekday]string{mon: "monday", tue: "tuesday"}

func (d weekday) String() string { return names[d] }

var Out = []string{
	func() string {
		var s Stack[string]
		s.Push("a")
		s.Push("b")
		x := s.Pop()
		return x + fmt.Sprint(len(s.items))
	}(),
	func() string { s := Stack[E]{}; s.Push(E{}); return fmt.Sprint(len(s.items)) }(),
	func() string {
		n := "x"
		as := []Animal{Dog{"rex"}, &Cat{&n}}
		r := ""
		for _, a := range as {
			r += a.Sound()
		}
		return r + n
	}(),
	func() string { f := Fn(func(s string) string { return s + "!" }); return f.Twice("x") }(),
	func() string {
		add(Config{Opt: func(c *Config) { c.Env = append(c.Env, "o"); c.Sub.On = true }})
		c := configs["none"]
		return c.Name + c.Env[0] + fmt.Sprint(c.Sub.On)
	}(),
	func() string {
		for _, n := range []string{"a", "b"} {
			add(Config{Name: n, Env: []string{n}})
		}
		configs["a"].Env = append(configs["a"].Env, "z")
		return fmt.Sprint(configs["a"].Env, configs["b"].Env)
	}(),
	variadic("a"), variadic("a", "b"), variadic("a", nil...), variadic("a", []string{}...), take(pair()),
	func() string { a, b := results(); return a + b }(),
	fmt.Sprint(shadowed() != nil), fmt.Sprint(zero[int](), zero[string]() == ""), loopDefer(), deferPanics(),
	func() string {
		counter = 0
		for i := range iter {
			if i == 1 {
				break
			}
		}
		return fmt.Sprint(counter)
	}(),
	fmt.Sprint(tue), fmt.Sprintf("%d %v", tue, mon),
	func() string {
		i := 0
	loop:
		for i < 3 {
			i++
			switch {
			case i == 2:
				break loop
			}
		}
		return fmt.Sprint(i)
	}(),
	func() string {
		r := ""
	outer:
		for i := 0; ; i++ {
			switch {
			case i == 1:
				continue
			case i == 3:
				break outer
			case i > 1:
				break
			default:
				r += "d"
			}
			r += fmt.Sprint(i)
		}
		return r
	}(),
	func() string {
		x := 1
		inc := func() int { x++; return x }
		a := []int{inc(), inc(), x}
		return fmt.Sprint(a[0], a[1], a[2], x)
	}(),
	func() string {
		type node struct {
			v    int
			next *node
		}
		var head *node
		for i := range 3 {
			head = &node{i, head}
		}
		s := 0
		for n := head; n != nil; n = n.next {
			s = s*10 + n.v
		}
		return fmt.Sprint(s)
	}(),
	func() string {
		a := &Config{Name: "a"}
		b := *a
		b.Name = "b"
		c := a
		c.Sub.On = true
		return a.Name + fmt.Sprint(a.Sub.On, b.Sub.On)
	}(),
	func() string {
		var c Config
		p := &c.Sub
		p.On = true
		d := c
		p.On = false
		return fmt.Sprint(c.Sub.On, d.Sub.On)
	}(),
	func() string {
		var c Config
		s := &c.Sub.On
		c = Config{Name: "n"}
		*s = true
		return fmt.Sprint(c.Sub.On, c.Name)
	}(),
	func() string {
		m := map[string]Config{"a": {Name: "a"}}
		c := m["a"]
		c.Env = append(c.Env, "x")
		return fmt.Sprint(len(m["a"].Env), len(m["zz"].Name))
	}(),
	func() string {
		m := map[string]map[string]int{}
		if m["a"] == nil {
			m["a"] = map[string]int{}
		}
		m["a"]["b"]++
		n := m["a"]
		n["b"] += 5
		return fmt.Sprint(m["a"]["b"], m["x"]["y"])
	}(),
	func() string {
		var fs []func()
		s := ""
		for _, x := range []string{"a", "b"} {
			fs = append(fs, func() { s += x; x += x })
		}
		fs[0]()
		fs[0]()
		fs[1]()
		return s
	}(),
	func() string {
		x := []string{"a"}
		f := func(y []string) { y[0] = "b"; y = append(y, "c") }
		f(x)
		return fmt.Sprint(x[0], len(x))
	}(),
	func() string {
		x := [1]string{"a"}
		f := func(y [1]string) { y[0] = "b" }
		f(x)
		g := func(y *[1]string) { y[0] = "c" }
		g(&x)
		return x[0]
	}(),
	func() string { l := strings.Split("c,a,b", ","); k := l; slices.Sort(l); return strings.Join(k, "") }(),
	func() string {
		s := "x"
		if maybe() {
			s += "y"
		}
		switch s {
		case "x", "xy":
			return "either"
		}
		return s
	}(),
	func() string {
		c := Config{Name: "a"}
		q := &c
		if maybe() {
			q = nil
		}
		if q != nil {
			q.Name = "b"
		}
		return c.Name
	}(),
	func() string {
		c := Config{Name: "a"}
		fs := map[string]func(){"x": func() { c.Name = "x" }, "y": func() {}}
		k := "y"
		if maybe() {
			k = "x"
		}
		fs[k]()
		return c.Name
	}(),
	func() string {
		c := Config{Name: "a"}
		ps := []*string{&c.Name}
		for _, p := range ps {
			if maybe() {
				*p = "b"
			}
		}
		return c.Name
	}(),
	func() string {
		c := []*Config{{Name: "a"}}
		i := slices.IndexFunc(c, func(c *Config) bool { c.Name = "z"; return true })
		return fmt.Sprint(i) + c[0].Name
	}(),
	func() string { l := []string{"a", "b"}; m := slices.Insert(l, 1, "x"); return m[1] + l[1] }(),
	func() string {
		x := "a"
		y := strings.ToUpper
		if maybe() {
			y = strings.ToLower
		}
		return y(x)[:0] + x
	}(),
	func() string {
		a, b := []int{1, 2}, []int{3}
		a, b = b, a
		a = append(a, 9)
		return fmt.Sprint(len(a), len(b), a[0], b[0])
	}(),
	func() string {
		a := make([]int, 2, 8)
		b := a[:1]
		c := append(b, 5)
		d := append(a, 7)
		e := append(a, 8)
		return fmt.Sprint(a[1], c[1], d[2], e[2])
	}(),
	func() string {
		t := struct{ a [2]int }{}
		u := t
		p := &t.a[1]
		*p = 3
		return fmt.Sprint(t.a[1], u.a[1])
	}(),
	func() string {
		var p *Config
		func() { defer func() { _ = recover() }(); p.Name = "x" }()
		return "survived"
	}(),
	func() string {
		x, err := 1, error(nil)
		if maybe() {
			err = errors.New("e")
		}
		if err != nil {
			return "e"
		}
		x++
		return fmt.Sprint(x)
	}(),
	func() string {
		n := 5
		p := &n
		for i := range n {
			*p = 2
			n += i
		}
		return fmt.Sprint(n)
	}(),
	func() string {
		s := []int{1, 2, 3}
		for i := range s {
			s = s[:1]
			_ = i
			s[0]++
		}
		return fmt.Sprint(s[0], len(s))
	}(),
	func() string {
		a := [3]int{1, 2, 3}
		for i, v := range &a {
			if i == 0 {
				a[1] = 9
			}
			a[2] += v
		}
		return fmt.Sprint(a[2])
	}(),
	func() string {
		x := 10
		{
			x, y := 20, x
			x += y
			_ = x
		}
		return fmt.Sprint(x)
	}(),
	func() string { a, b := 1, 2; a, c := b, a; b, c = c, b; return fmt.Sprint(a, b, c) }(),
	func() string {
		f := func(n *int) int { *n *= 2; return *n }
		n := 1
		m := map[int]int{}
		m[f(&n)] = f(&n)
		return fmt.Sprint(m[2], m[4], n)
	}(),
}
