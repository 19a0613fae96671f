package builders

import (
	"slices"

	"gobuild/pkg/buildconfig"
	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "race-cgo", Severity: lint.Error, Title: "a race builder without cgo",
		Why:    "Except on macOS the race detector needs cgo: with CGO_ENABLED=0 the go command refuses -race, and every build fails.",
		Before: `addBuilder(BuildConfig{Name: "linux-amd64-race", HostType: "host-linux-amd64-bullseye", env: []string{"CGO_ENABLED=0"}})`,
		After:  `addBuilder(BuildConfig{Name: "linux-amd64-race", HostType: "host-linux-amd64-bullseye"})`,
	},
	Check: func(p *Pass) {
		for _, b := range p.Builders {
			if b.Rejected || !slices.Contains(parts(b.Key), "race") || parts(b.Key)[0] == "darwin" {
				continue
			}
			env, all := p.Environ(b)
			if v, found, known := buildconfig.Setting(env, all, "CGO_ENABLED"); found && known && v.Value == "0" {
				p.Reportf(orName(b, v), "builder type %s is a race builder, which needs cgo, but CGO_ENABLED=0 switches it off", b.Key)
			}
		}
	},
})
