package builders

import "gobuild/pkg/lint"

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "builder-host-missing", Severity: lint.Error, Title: "a builder type without a host type",
		Why:     "HostType says on which machines it runs. Without one the coordinator panics when it starts.",
		Before:  `addBuilder(BuildConfig{Name: "linux-amd64"})`,
		After:   `addBuilder(BuildConfig{Name: "linux-amd64", HostType: "host-linux-amd64-bullseye"})`,
		Section: "build protocol, section 12.3, rule 9",
	},
	Check: func(p *Pass) {
		for _, b := range p.Builders {
			if host, ok := b.String("HostType"); ok && host == "" {
				p.Reportf(b.Node("HostType"), "builder type %s needs a HostType, the host type that it runs on", b.Key)
			}
		}
	},
})
