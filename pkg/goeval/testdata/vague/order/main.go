// What depends on the order of a map, and what does not.
package main

import (
	"fmt"
	"maps"
	"slices"
	"sort"
)

func main() {
	for _, line := range Out {
		fmt.Println(line)
	}
}

type T struct{ A, B string }

var table = map[string]string{"a": "1", "b": "2", "c": "3"}

func copyTable() map[string]string {
	m := map[string]string{}
	for k, v := range table {
		m[k] = v + "!"
	}
	return m
}

func find(want string) string {
	for k, v := range table {
		if k == want {
			return v
		}
	}
	return "none"
}

var Out = []string{
	func() string { m := copyTable(); return m["a"] + m["c"] }(),
	find("b"), find("x"),
	func() string {
		n := 0
		for range table {
			n++
		}
		return fmt.Sprint(n)
	}(),
	func() string {
		var keys []string
		for k := range table {
			keys = append(keys, k)
		}
		sort.Strings(keys)
		return fmt.Sprint(keys, len(keys))
	}(),
	func() string { return fmt.Sprint(slices.Sorted(maps.Keys(table))) }(),
	func() string {
		m := map[string]*T{"a": {}, "b": {}}
		for k, t := range m {
			t.A = k
		}
		return m["a"].A + m["b"].A
	}(),
	func() string {
		m := map[string]*T{"a": {}, "b": {}}
		for k := range m {
			m[k] = &T{B: k}
		}
		return m["a"].B
	}(),
	func() string {
		m := map[string]string{"a": "b", "b": "a"}
		for k, v := range m {
			if k == "a" {
				delete(m, v)
			}
		}
		return m["a"]
	}(),
	func() string {
		m := map[string]string{"a": "", "b": ""}
		for k := range m {
			delete(m, k)
		}
		return fmt.Sprint(len(m))
	}(),
	func() string {
		found := false
		for k := range table {
			if k == "b" {
				found = true
			}
		}
		return fmt.Sprint(found)
	}(),
	func() string {
		for k, v := range map[string]string{"only": "one"} {
			return k + v
		}
		return ""
	}(),
	func() string {
		x := ""
		for _, v := range map[string]string{"a": "same", "b": "same"} {
			x = v
		}
		return x
	}(),
	func() string {
		seen, x := false, "0"
		for k := range table {
			if k == "b" {
				seen = true
			}
			if k == "a" && seen {
				x = "1"
			}
		}
		if x == "2" {
			return ""
		}
		return "end"
	}(),
}
