package builders

import (
	"strings"

	"gobuild/pkg/buildconfig"
	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "misc-compile-env", Severity: lint.Error, Title: "a misc-compile builder type without GOOS or GOARCH",
		Why:     "A misc-compile builder type compiles for the port that GOOS and GOARCH in its own env name. Without one of them it compiles for its host's.",
		Before:  `addBuilder(BuildConfig{Name: "misc-compile-freebsd-arm", HostType: "host-linux-amd64-bullseye", CompileOnly: true, env: []string{"GOARCH=arm"}})`,
		After:   `addBuilder(BuildConfig{Name: "misc-compile-freebsd-arm", HostType: "host-linux-amd64-bullseye", CompileOnly: true, env: []string{"GOOS=freebsd", "GOARCH=arm"}})`,
		Section: "build protocol, section 12.3, rule 22",
	},
	Check: func(p *Pass) {
		for _, b := range p.Builders {
			if lacks := p.lacksPort(b); lacks != "" && !b.Rejected {
				p.Reportf(b.Node("env"), "builder type %s has no %s in its env: it compiles for its host's", b.Key, lacks)
			}
		}
	},
})

// lacksPort returns which of GOOS and GOARCH the env of a misc-compile builder
// type certainly lacks, or "".
func (p *Pass) lacksPort(b *buildconfig.Record) string {
	own, all := ownVars(b)
	if !strings.HasPrefix(b.Key, miscCompile) || !all || oldCompile(b) {
		return ""
	}
	var lacks []string
	for _, name := range []string{"GOOS", "GOARCH"} {
		if own[name] == "" {
			lacks = append(lacks, name)
		}
	}
	return strings.Join(lacks, " and no ")
}

// ownVars returns the variables in the env of a builder type itself.
func ownVars(b *buildconfig.Record) (vars map[string]string, all bool) {
	list, all := b.List("env")
	vars = map[string]string{}
	for _, e := range list {
		text, ok := e.String()
		all = all && ok
		name, value, _ := strings.Cut(text, "=")
		vars[name] = value
	}
	return vars, all
}
