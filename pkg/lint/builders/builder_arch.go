package builders

import (
	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "builder-arch", Severity: lint.Error, Title: "a builder type that does not test what its name says",
		Why: "Its name begins with GOOS-GOARCH, but what it builds for follows from its environment " +
			"(GOOS, GOARCH, else GOHOSTOS, GOHOSTARCH) and else from HostArch of its host type. Where they differ the builder is green or red for another port.",
		Before:  `addBuilder(BuildConfig{Name: "linux-386-longtest", HostType: "host-linux-amd64-bullseye"})`,
		After:   `addBuilder(BuildConfig{Name: "linux-386-longtest", HostType: "host-linux-amd64-bullseye", env: []string{"GOARCH=386", "GOHOSTARCH=386"}})`,
		Section: "build protocol, section 12.2",
	},
	Check: func(p *Pass) {
		for _, b := range p.Builders {
			name := parts(b.Key)
			target, known := p.Target(b)
			if !known || b.Rejected || len(name) < 2 || name[0] == "misc" || !knownPort(portOf(b.Key)) {
				continue // of an unknown port another rule tells
			}
			if target.GOOS != name[0] || target.GOARCH != name[1] {
				p.Reportf(b.Node("Name"), "builder type %s builds for %s-%s", b.Key, target.GOOS, target.GOARCH)
			}
		}
	},
})
