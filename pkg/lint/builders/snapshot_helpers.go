package builders

import "gobuild/pkg/lint"

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "snapshot-helpers", Severity: lint.Error, Title: "test helpers without a snapshot",
		Why: "Test helpers start from the snapshot of the tree that is taken after make.bash. " +
			"With SkipSnapshot there is none, so that the coordinator panics when it starts.",
		Before:  `addBuilder(BuildConfig{Name: "linux-arm", HostType: "host-linux-arm-board", SkipSnapshot: true, numTestHelpers: 2})`,
		After:   `addBuilder(BuildConfig{Name: "linux-arm", HostType: "host-linux-arm-board", SkipSnapshot: true})`,
		Section: "build protocol, section 12.3, rule 13",
	},
	Check: func(p *Pass) {
		for _, b := range p.Builders {
			if !b.Is("SkipSnapshot") {
				continue
			}
			for _, field := range []string{"numTestHelpers", "numTryTestHelpers"} {
				if n, ok := b.Int(field); ok && n > 0 {
					p.Reportf(b.Node(field), "builder type %s has %s %d, which needs the snapshot that SkipSnapshot leaves out", b.Key, field, n)
				}
			}
		}
	},
})
