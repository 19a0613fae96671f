package builders

import (
	"gobuild/pkg/goeval"
	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "minimum-go-version", Severity: lint.Warning, Title: "a MinimumGoVersion that no release has",
		Why: "MinimumGoVersion is the Go release that a builder type builds at least, as {Major: 1, Minor: 25}. " +
			"One below Go 1.10 keeps nothing out, as older releases are never built; one that is far above the newest keeps every release branch out.",
		Before: `addBuilder(BuildConfig{Name: "linux-loong64", HostType: "host-linux-loong64", MinimumGoVersion: types.MajorMinor{Minor: 19}})`,
		After:  `addBuilder(BuildConfig{Name: "linux-loong64", HostType: "host-linux-loong64", MinimumGoVersion: types.MajorMinor{Major: 1, Minor: 19}})`,
	},
	Check: func(p *Pass) {
		for _, b := range p.Builders {
			s, ok := b.Value("MinimumGoVersion").(*goeval.Struct)
			if !ok || b.Rejected {
				continue
			}
			major, ok1 := goeval.Int(s.Field("Major").Get())
			minor, ok2 := goeval.Int(s.Field("Minor").Get())
			if !ok1 || !ok2 || major == 0 && minor == 0 {
				continue
			}
			// Go 1.40 is due in 2033.
			switch at := b.Node("MinimumGoVersion"); {
			case major < 1 || major == 1 && minor < 10:
				p.Reportf(at, "builder type %s has the MinimumGoVersion %d.%d, which keeps nothing out: no release before Go 1.10 is built", b.Key, major, minor)
			case major > 2 || minor > 40:
				p.Reportf(at, "builder type %s has the MinimumGoVersion %d.%d: there is no such release of Go", b.Key, major, minor)
			}
		}
	},
})
