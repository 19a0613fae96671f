package builders

import "gobuild/pkg/lint"

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "host-key-empty", Severity: lint.Error, Title: "a host type without a name",
		Why: "The key in Hosts is the name by which builder types and machines refer to a host type. " +
			"With an empty one the coordinator panics when it starts.",
		Before:  `"": {VMImage: "freebsd-amd64-130"},`,
		After:   `"host-freebsd-amd64-13_0": {VMImage: "freebsd-amd64-130"},`,
		Section: "build protocol, section 12.3, rule 1",
	},
	Check: func(p *Pass) {
		for _, h := range p.Hosts {
			if h.Key == "" {
				p.Reportf(h.Node(""), "the host type has no name: its key in Hosts is empty and should be host-GOOS-GOARCH, with a suffix if need be")
			}
		}
	},
})
