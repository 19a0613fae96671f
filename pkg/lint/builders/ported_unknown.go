package builders

import (
	"slices"

	"gobuild/pkg/lint"
)

// Where upstream keeps the names of the builder types that run at LUCI now.
const (
	portedPackage = "golang.org/x/build/internal/migration"
	portedTable   = "BuildersPortedToLUCI"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "ported-unknown", Severity: lint.Error, Title: "a builder type that was ported to LUCI and is not there",
		Why: "The keys of migration.BuildersPortedToLUCI are builder types that the coordinator hides and stops. " +
			"One that is no builder type stops nothing, and `go test ./dashboard` fails. Most often the builder type was renamed here and not there. " +
			"The rule is for package dashboard of the module golang.org/x/build only.",
		Before:  `addBuilder(BuildConfig{Name: "freebsd-amd64-14_0", HostType: "host-freebsd-amd64"}) // while the table has freebsd-amd64-13_0`,
		After:   `addBuilder(BuildConfig{Name: "freebsd-amd64-13_0", HostType: "host-freebsd-amd64"})`,
		Section: "build protocol, section 12.3, rule 28",
	},
	Check: func(p *Pass) {
		if !p.upstream() || !p.allBuilders() {
			return
		}
		required := p.required()
		keys, _ := p.Keys(portedPackage, portedTable)
		for _, e := range keys {
			name, ok := e.String()
			if !ok || p.Builder(name) != nil || slices.Contains(required, name) {
				continue
			}
			at, near, told := p.instead(name)
			if told {
				continue
			}
			p.Reportf(at, "migration.%s has %s, which is no builder type%s", portedTable, name, near)
		}
	},
})
