package builders

import "gobuild/pkg/lint"

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "helpers-unused", Severity: lint.Warning, Title: "test helpers of a builder type that runs no tests",
		Why: "Test helpers share the tests of the main repository out among them. " +
			"A builder type that stops after make.bash runs none: its helpers never have anything to do.",
		Before: `addBuilder(BuildConfig{Name: "linux-amd64-racecompile", HostType: "host-linux-amd64-bullseye", StopAfterMake: true, numTestHelpers: 2})`,
		After:  `addBuilder(BuildConfig{Name: "linux-amd64-racecompile", HostType: "host-linux-amd64-bullseye", StopAfterMake: true})`,
	},
	Check: func(p *Pass) {
		for _, b := range p.Builders {
			for _, field := range []string{"numTestHelpers", "numTryTestHelpers"} {
				if n, ok := b.Int(field); ok && n > 0 && b.Is("StopAfterMake") {
					p.Reportf(b.Node(field), "builder type %s has %s %d, but with StopAfterMake there are no tests to share out", b.Key, field, n)
				}
			}
		}
	},
})
