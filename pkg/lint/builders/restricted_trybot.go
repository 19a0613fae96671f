package builders

import "gobuild/pkg/lint"

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "restricted-trybot", Severity: lint.Warning, Title: "a restricted builder type among the trybots",
		Why: "isRestricted says that only some people may use the builder type, and tryBot that everybody's changes run on it. " +
			"One of the two is not meant.",
		Before: `addBuilder(BuildConfig{Name: "linux-amd64-board", HostType: "host-linux-amd64-board", isRestricted: true, tryBot: defaultTrySet()})`,
		After:  `addBuilder(BuildConfig{Name: "linux-amd64-board", HostType: "host-linux-amd64-board", isRestricted: true})`,
	},
	Check: func(p *Pass) {
		for _, b := range p.Builders {
			if none, known := b.IsNil("tryBot"); b.Is("isRestricted") && known && !none {
				p.Reportf(b.Node("tryBot"), "builder type %s is restricted, yet its tryBot lets everybody's changes run on it", b.Key)
			}
		}
	},
})
