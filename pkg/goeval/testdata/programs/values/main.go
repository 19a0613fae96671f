package main

import (
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
)

var Out []string

func say(format string, args ...any) { Out = append(Out, fmt.Sprintf(format, args...)) }

type kind string

const (
	first kind = "first"
	next       = "next"
)

const (
	zero = iota
	one
	two
	big = 1 << (10 * iota)
)

type point struct{ X, Y int }

func (p point) sum() int    { return p.X + p.Y }
func (p *point) move(d int) { p.X += d }

type node struct {
	point
	Name string
	kids []*node
}

var late = early + 1
var early = twice(20)

func twice(n int) int { return 2 * n }

var table = map[string]*node{
	"a": {Name: "A", point: point{1, 2}},
	"b": {Name: "B", kids: []*node{{Name: "C"}, {Name: "D"}}},
}

func two3() (int, string) { return 2, "three" }

func named(n int) (result int, err string) {
	result = n
	if n > 1 {
		err = "big"
		return
	}
	return n * 10, ""
}

func variadic(sep string, parts ...string) string {
	return strings.Join(parts, sep) + strconv.Itoa(len(parts))
}

func init() {
	say("%d %d %d %d %d", zero, one, two, big, late)
	say("%s %s %v", first, next, first == "first")
	say("%d %d %v", 7/2, -7/2, 7.0/2)
	say("%d %d %t", 7%3, 1<<3|1, 5&^1 == 4)
	p := point{3, 4}
	q := p
	q.X = 10
	p.move(5)
	say("%d %d %d %d", p.X, q.X, p.sum(), (&q).sum())
	ptr := &p
	ptr.Y = 100
	say("%d", p.Y)
	say("%s %d %d", table["a"].Name, table["a"].X, table["a"].sum())
	for _, kid := range table["b"].kids {
		say("kid %s", kid.Name)
	}
	n, s := two3()
	say("%d %s", n, s)
	r, e := named(1)
	say("%d %q", r, e)
	r, e = named(5)
	say("%d %q", r, e)
	say("%s", variadic("-"))
	say("%s", variadic("-", "a", "b"))
	say("%s", variadic("+", strings.Fields("x y z")...))
	m := map[string]int{}
	m["x"]++
	m["x"] += 2
	v, ok := m["y"]
	say("%d %d %t %d", m["x"], v, ok, len(m))
	delete(m, "x")
	say("%d", len(m))
	list := []string{"c", "a", "b"}
	sort.Strings(list)
	say("%s %t %d", strings.Join(list, ""), slices.Contains(list, "b"), slices.Index(list, "c"))
	list = append(list[:1], list[2:]...)
	say("%s", strings.Join(list, ","))
	arr := [3]int{1, 2}
	brr := arr
	brr[0] = 9
	say("%d %d %d", arr[0], brr[0], len(arr))
	var nothing []string
	say("%t %d", nothing == nil, len(nothing))
	nothing = append(nothing, "one")
	say("%t %d", nothing == nil, len(nothing))
	say("%v %v", 90*time.Second, time.Duration(2)*time.Hour)
	say("%s %c", "héllo"[1:3], []rune("héllo")[1])
	say("%d %d", min(3, 1, 2), max(3, 1, 2))
	say("%q", strings.Repeat("ab", 3))
	before, after, found := strings.Cut("key=value", "=")
	say("%s %s %t", before, after, found)
	x, err := strconv.Atoi("12")
	say("%d %t", x, err == nil)
	_, err = strconv.Atoi("1x")
	say("%t", err != nil)
	say("%08.3f|%-5s|%5d|%x|%t", 3.14159, "ab", 42, 255, true)
	say("%v", []string{"a", "b"})
}

func main() {
	for _, line := range Out {
		fmt.Println(line)
	}
}
