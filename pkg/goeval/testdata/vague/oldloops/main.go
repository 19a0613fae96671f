// Before Go 1.22 the rounds of a loop share its variables.
package main

import "fmt"

func main() {
	for _, line := range Out {
		fmt.Println(line)
	}
}

var Out = []string{
	func() string {
		var fs []func() int
		for _, n := range []int{1, 2, 3} {
			fs = append(fs, func() int { return n })
		}
		return fmt.Sprint(fs[0](), fs[2]())
	}(),
	func() string {
		var ps []*int
		for i := 0; i < 3; i++ {
			ps = append(ps, &i)
		}
		return fmt.Sprint(*ps[0])
	}(),
	func() string {
		m := map[string]*string{}
		for _, s := range []string{"a", "b"} {
			m[s] = &s
		}
		return *m["a"]
	}(),
}
