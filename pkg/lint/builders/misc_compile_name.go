package builders

import (
	"strings"

	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "misc-compile-name", Severity: lint.Error, Title: "a misc-compile builder type that compiles for another port than it says",
		Why: "A misc-compile builder type is called misc-compile-GOOS-GOARCH, after the port that GOOS and GOARCH in its env name. " +
			"Where they differ, a port is compiled twice and another not at all.",
		Before: `addBuilder(BuildConfig{Name: "misc-compile-linux-mips64", HostType: "host-linux-amd64-bullseye", CompileOnly: true, env: []string{"GOOS=linux", "GOARCH=mips"}})`,
		After:  `addBuilder(BuildConfig{Name: "misc-compile-linux-mips64", HostType: "host-linux-amd64-bullseye", CompileOnly: true, env: []string{"GOOS=linux", "GOARCH=mips64"}})`,
	},
	Check: func(p *Pass) {
		for _, b := range p.Builders {
			own, all := ownVars(b)
			if b.Rejected || !all || !strings.HasPrefix(b.Key, miscCompile) || own["GOOS"] == "" || own["GOARCH"] == "" || oldCompile(b) {
				continue
			}
			if port := own["GOOS"] + "-" + own["GOARCH"]; port != portOf(b.Key) {
				p.Reportf(place(b), "builder type %s compiles for %s: its name should begin with misc-compile-%s", b.Key, port, port)
			}
		}
	},
})
