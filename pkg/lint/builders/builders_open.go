package builders

import (
	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "builders-open", Severity: lint.Info, Title: "a table of builder types that cannot be read whole",
		Why: "Some builder types are added in a way that hangs on what is not in the source, such as the environment or a package " +
			"that is not at hand. Rules that need all of them find nothing then: no host type is called unused, no alias dangling.",
		Before: `addBuilder(BuildConfig{Name: "linux-amd64-" + os.Getenv("SUFFIX"), HostType: "host-linux-amd64"})`,
		After:  `addBuilder(BuildConfig{Name: "linux-amd64-new", HostType: "host-linux-amd64"})`,
	},
	Check: func(p *Pass) {
		if p.BuildersOpen != "" && p.Stopped == "" && len(p.Syntax) == 0 {
			p.Reportf(p.declared("Builders"), "there may be other builder types than can be read, because this is not known: %s", p.BuildersOpen)
		}
	},
})
