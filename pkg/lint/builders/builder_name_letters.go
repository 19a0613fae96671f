package builders

import (
	"slices"
	"strings"

	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "builder-name-letters", Severity: lint.Warning, Title: "a name with letters that names of builder types do not have",
		Why: "The name stands in addresses, in file names, in TRY= comments and in the names of keys, where spaces, slashes and commas mean something else " +
			"and capitals are easily missed. What stands between its dashes has a meaning each; it is small letters, digits, dots and underscores.",
		Before: `addBuilder(BuildConfig{Name: "linux-amd64-Fedora 40", HostType: "host-linux-amd64-fedora"})`,
		After:  `addBuilder(BuildConfig{Name: "linux-amd64-fedora_40", HostType: "host-linux-amd64-fedora"})`,
	},
	Check: func(p *Pass) {
		for _, b := range p.Builders {
			if b.Key == "" || b.Rejected || nameProblem(b.Key) != "" {
				continue
			}
			if i := strings.IndexFunc(b.Key, func(r rune) bool { return !nameLetter(r) }); i >= 0 {
				p.Reportf(place(b), "the name of builder type %q has a %q: small letters, digits, dots, underscores and dashes are usual", b.Key, []rune(b.Key[i:])[0])
			} else if slices.Contains(parts(b.Key), "") {
				p.Reportf(place(b), "the name of builder type %s has a dash with nothing behind it", b.Key)
			}
		}
	},
})

func nameLetter(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.'
}
