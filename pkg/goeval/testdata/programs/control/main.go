package main

import (
	"fmt"
	"strings"
)

var Out []string

func say(format string, args ...any) { Out = append(Out, fmt.Sprintf(format, args...)) }

func classify(s string) string {
	switch {
	case strings.HasPrefix(s, "a"):
		return "starts with a"
	case s == "":
		return "empty"
	}
	switch s {
	case "x", "y":
		return "letter"
	case "z":
		fallthrough
	case "zz":
		return "last"
	default:
		return "other"
	}
}

func fib(n int) int {
	if n < 2 {
		return n
	}
	return fib(n-1) + fib(n-2)
}

func find(m [][]int, want int) (int, int) {
outer:
	for i, row := range m {
		for j, v := range row {
			if v < 0 {
				continue outer
			}
			if v == want {
				return i, j
			}
			if v > 100 {
				break outer
			}
		}
	}
	return -1, -1
}

type adder func(int) int

func makeAdder(n int) adder { return func(m int) int { n += m; return n } }

type shape struct{ sides int }

func (s shape) name() string {
	names := map[int]string{3: "triangle", 4: "square"}
	if n, ok := names[s.sides]; ok {
		return n
	}
	return "polygon"
}

func apply(f func(shape) string, s shape) string { return f(s) }

func mapped[T any](list []T, f func(T) string) string {
	var out []string
	for _, v := range list {
		out = append(out, f(v))
	}
	return strings.Join(out, " ")
}

func init() {
	for _, s := range []string{"abc", "", "y", "z", "zz", "q"} {
		say("%s", classify(s))
	}
	say("%d", fib(12))
	m := [][]int{{1, -1, 7}, {7, 8}, {200, 9}, {9}}
	i, j := find(m, 7)
	say("%d %d", i, j)
	i, j = find(m, 9)
	say("%d %d", i, j)
	add := makeAdder(10)
	add(1)
	say("%d", add(2))
	var fs []func() int
	for i := range 3 {
		fs = append(fs, func() int { return i * i })
	}
	for _, f := range fs {
		say("%d", f())
	}
	for i := 0; i < 5; i++ {
		if i == 1 {
			continue
		}
		if i == 4 {
			break
		}
		say("round %d", i)
	}
	n := 0
	for n < 3 {
		n++
	}
	for {
		n++
		if n > 6 {
			break
		}
	}
	say("%d", n)
	f := shape{4}.name
	say("%s %s %s", f(), apply(shape.name, shape{3}), apply((shape).name, shape{9}))
	say("%s", mapped([]int{1, 2}, func(n int) string { return fmt.Sprintf("<%d>", n) }))
	for i, r := range "aß" {
		say("%d %d", i, r)
	}
	if x := fib(5); x > 4 {
		say("x %d", x)
	} else if x > 2 {
		say("small")
	}
	{
		n := "inner"
		say("%s", n)
	}
	say("%d", n)
	type local struct{ A, B string }
	for _, l := range []local{{"a", "b"}, {B: "c"}} {
		say("%s%s", l.A, l.B)
	}
	for part := range strings.SplitSeq("p,q", ",") {
		say("%s", part)
	}
	const width = 3
	var grid [width][2]int
	grid[1][1] = 5
	say("%d %d", len(grid), grid[1][1])
}

func init() { say("a second init, after %d lines", len(Out)) }

func main() {
	for _, line := range Out {
		fmt.Println(line)
	}
}
