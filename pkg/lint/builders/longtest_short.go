package builders

import (
	"slices"
	"strconv"

	"gobuild/pkg/buildconfig"
	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "longtest-short", Severity: lint.Error, Title: "a longtest builder type that runs short tests",
		Why: "A builder type with `longtest` in its name gets GO_TEST_SHORT=0, but what the environment of its host type and its own says later counts. " +
			"With GO_TEST_SHORT=1 there it is green without having run the long tests.",
		Before:  `addBuilder(BuildConfig{Name: "linux-amd64-longtest", HostType: "host-linux-amd64-bullseye", env: []string{"GO_TEST_SHORT=1"}})`,
		After:   `addBuilder(BuildConfig{Name: "linux-amd64-longtest", HostType: "host-linux-amd64-bullseye"})`,
		Section: "build protocol, section 12.2 and section 12.3, rule 24",
	},
	Check: func(p *Pass) {
		for _, b := range p.Builders {
			if b.Rejected || !slices.Contains(parts(b.Key), "longtest") {
				continue
			}
			env, all := p.Environ(b)
			v, found, known := buildconfig.Setting(env, all, "GO_TEST_SHORT")
			if !found || !known {
				continue
			}
			if short, err := strconv.ParseBool(v.Value); err == nil && short {
				p.Reportf(orName(b, v), "builder type %s is to run long tests, but its environment ends with GO_TEST_SHORT=%s", b.Key, v.Value)
			}
		}
	},
})
