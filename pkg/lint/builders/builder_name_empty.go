package builders

import "gobuild/pkg/lint"

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "builder-name-empty", Severity: lint.Error, Title: "a builder type without a name",
		Why:     "Name is what the builder type is called everywhere, and GOOS and GOARCH are taken from it. Without one the coordinator panics when it starts.",
		Before:  `addBuilder(BuildConfig{HostType: "host-linux-amd64-bullseye"})`,
		After:   `addBuilder(BuildConfig{Name: "linux-amd64-bullseye", HostType: "host-linux-amd64-bullseye"})`,
		Section: "build protocol, section 12.3, rule 8",
	},
	Check: func(p *Pass) {
		for _, b := range p.Builders {
			if name, ok := b.String("Name"); ok && name == "" && b.Key == "" {
				p.Reportf(b.Node("Name"), "a builder type needs a Name of the form GOOS-GOARCH or GOOS-GOARCH-suffix")
			}
		}
	},
})
