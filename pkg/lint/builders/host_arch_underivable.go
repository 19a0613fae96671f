package builders

import "gobuild/pkg/lint"

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "host-arch-underivable", Severity: lint.Error, Title: "a host type whose HostArch is neither written nor in its name",
		Why: "Without HostArch the second and third part of the name say which buildlet the machines run. " +
			"If the name has fewer than three parts the coordinator panics when it starts.",
		Before:  `"host-solaris": {IsReverse: true, ExpectNum: 1},`,
		After:   `"host-solaris": {HostArch: "solaris-amd64", IsReverse: true, ExpectNum: 1},`,
		Section: "build protocol, section 12.3, rule 3",
	},
	Check: func(p *Pass) {
		for _, h := range p.Hosts {
			if arch, ok := h.String("HostArch"); ok && arch == "" && h.Key != "" && len(parts(h.Key)) < 3 {
				p.Reportf(h.Node("HostArch"), "host type %s has no HostArch, and its name is not of the form host-GOOS-GOARCH from which it could be derived", h.Key)
			}
		}
	},
})
