package builders

import "gobuild/pkg/lint"

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "google-reverse", Severity: lint.Error, Title: "GoogleReverse on a host type that is not reverse",
		Why: "GoogleReverse says that Google runs the dedicated machines of a reverse pool. " +
			"With a builder type on a host type of another kind the coordinator panics when it starts.",
		Before:  `"host-linux-amd64-sid": {ContainerImage: "linux-x86-sid:latest", GoogleReverse: true},`,
		After:   `"host-linux-amd64-sid": {ContainerImage: "linux-x86-sid:latest"},`,
		Section: "build protocol, section 12.3, rule 12",
	},
	Check: func(p *Pass) {
		for _, h := range p.Hosts {
			if h.Is("GoogleReverse") && h.IsNot("IsReverse") {
				p.Reportf(h.Node("GoogleReverse"), "host type %s sets GoogleReverse, but is not reverse (IsReverse)", h.Key)
			}
		}
	},
})
