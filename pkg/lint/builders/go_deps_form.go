package builders

import (
	"go/ast"
	"strings"

	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "go-deps-form", Severity: lint.Error, Title: "a commit in GoDeps that is no whole commit hash",
		Why: "GoDeps are commits that must be in the history of what is built, compared by their whole hash: 40 hexadecimal digits in small letters. " +
			"Anything else is in no history, so that the builder builds nothing.",
		Before:  `addBuilder(BuildConfig{Name: "linux-amd64-newinliner", HostType: "host-linux-amd64-bullseye", GoDeps: []string{"fbf9076"}})`,
		After:   `addBuilder(BuildConfig{Name: "linux-amd64-newinliner", HostType: "host-linux-amd64-bullseye", GoDeps: []string{"fbf9076ee8c8f665f1e8bba08fdc473cc7a2d690"}})`,
		Section: "build protocol, section 12.2",
	},
	Check: func(p *Pass) {
		for _, b := range p.Builders {
			each(b, "GoDeps", func(hash string, at ast.Node) {
				switch {
				case strings.Trim(hash, "0123456789abcdef") != "":
					p.Reportf(at, "%q in GoDeps of builder type %s is no commit hash: 40 digits of 0 to 9 and a to f", hash, b.Key)
				case len(hash) != 40:
					p.Reportf(at, "the commit hash in GoDeps of builder type %s has %d digits: it needs all 40", b.Key, len(hash))
				}
			})
		}
	},
})
