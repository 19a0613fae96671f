package builders

import (
	"slices"

	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "try-only-never", Severity: lint.Info, Title: "a builder type that runs before submission only, and not even then",
		Why: "With tryOnly nothing is built after submission, and without tryBot nothing before it: " +
			"such a builder type only runs when somebody asks for it by its name. If that is meant, KnownIssues should say why.",
		Before: `addBuilder(BuildConfig{Name: "plan9-386", HostType: "host-plan9-386-gce", tryOnly: true})`,
		After:  `addBuilder(BuildConfig{Name: "plan9-386", HostType: "host-plan9-386-gce", tryOnly: true, tryBot: explicitTrySet("go")})`,
	},
	Check: func(p *Pass) {
		for _, b := range p.Builders {
			never, known := b.IsNil("tryBot")
			issues, sure := b.List("KnownIssues")
			if b.Rejected || !b.Is("tryOnly") || !never || !known || !sure || len(issues) > 0 || slices.Contains(parts(b.Key), "localdev") {
				continue
			}
			p.Reportf(b.Node("tryOnly"), "builder type %s has tryOnly and no tryBot: it runs only when somebody asks for it", b.Key)
		}
	},
})
