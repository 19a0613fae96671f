package builders

import (
	"slices"
	"strings"

	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "suffix-position", Severity: lint.Warning, Title: "a well-known suffix that is not at the end of the name",
		Why: "A builder type is called GOOS-GOARCH, then what its machine is, and at the end what is special about it, such as -race, -longtest or -nocgo. " +
			"Where the suffix comes earlier the name says another port, or readers and scripts that look at its end take the builder for an ordinary one.",
		Before: `addBuilder(BuildConfig{Name: "linux-amd64-race-bookworm", HostType: "host-linux-amd64-bookworm"})`,
		After:  `addBuilder(BuildConfig{Name: "linux-amd64-bookworm-race", HostType: "host-linux-amd64-bookworm"})`,
	},
	Check: func(p *Pass) {
		for _, b := range p.Builders {
			if b.Rejected || !knownPort(portOf(b.Key)) || strings.HasPrefix(b.Key, miscCompile) {
				continue
			}
			if word := misplaced(b.Key); word != "" {
				rest := slices.DeleteFunc(parts(b.Key), func(part string) bool { return part == word })
				p.Reportf(place(b), "builder type %s has -%s in the middle of its name: it belongs to the end, as in %s-%s", b.Key, word, strings.Join(rest, "-"), word)
			}
		}
	},
})

// endings are the suffixes that belong to the end, where several may stand in
// any order.
var endings = []string{"race", "longtest", "nocgo"}

// misplaced returns the first suffix in a name that is not at its end, or "".
func misplaced(name string) string {
	part := parts(name)
	if len(part) < 3 {
		return ""
	}
	isEnding := func(word string) bool { return slices.Contains(endings, word) || almost(word) != "" }
	for len(part) > 2 && isEnding(part[len(part)-1]) {
		part = part[:len(part)-1]
	}
	for _, word := range part {
		if slices.Contains(endings, word) {
			return word
		}
	}
	return ""
}
