// Several files and packages: the order in which they start, and files that are
// left out.
package main

import (
	"fmt"

	"example.org/startup/odd-name"
	_ "example.org/startup/plugins"
	reg "example.org/startup/registry"
	. "example.org/startup/starts"
)

func main() {
	for _, line := range Out {
		fmt.Println(line)
	}
}

var Out []string

var early = later + "!"

var later = compute()

func compute() string { return "computed " + other }

func init() {
	Out = append(Out, early, trace, fmt.Sprint(len(reg.Table)), reg.Table["plugin"], named.Value, Started)
	Out = append(Out, changedHere)
	changedHere = "main"
}
