// Several files and packages: the order in which they start, and files that are
// left out.
package main

import (
	"fmt"

	"example.org/packages/odd-name"
	_ "example.org/packages/plugins"
	reg "example.org/packages/registry"
	. "example.org/packages/starts"
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
	Out = append(Out, changedElsewhere, changedHere)
	changedHere = "main"
}
