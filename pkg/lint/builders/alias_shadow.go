package builders

import (
	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "alias-shadow", Severity: lint.Warning, Title: "an alias with the name of a builder type, for another one",
		Why: "A TRY= term asks for the builder type that is called so and for the one that the alias stands for: " +
			"who wants the first gets both.",
		Before: `"linux-arm64": "linux-arm64-aws",` + "\n" +
			`addBuilder(BuildConfig{Name: "linux-arm64", HostType: "host-linux-arm64-bullseye"})` + "\n" +
			`addBuilder(BuildConfig{Name: "linux-arm64-aws", HostType: "host-linux-arm64-aws"})`,
		After: `"linux-arm64-slow": "linux-arm64-aws",` + "\n" +
			`addBuilder(BuildConfig{Name: "linux-arm64", HostType: "host-linux-arm64-bullseye"})` + "\n" +
			`addBuilder(BuildConfig{Name: "linux-arm64-aws", HostType: "host-linux-arm64-aws"})`,
		Section: "build protocol, section 12.3, rule 19",
	},
	Check: func(p *Pass) {
		for _, a := range p.Aliases {
			if b := p.Builder(a.Name); certain(b) && a.Known && a.Builder != "" && a.Builder != a.Name {
				p.Reportf(aliasName(a), "alias %s has the name of a builder type and stands for another, %s: TRY=%s runs both", a.Name, a.Builder, a.Name)
			}
		}
	},
})
