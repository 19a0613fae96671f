package builders

import (
	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "not-a-builders-file", Severity: lint.Error, Title: "a Go file without host types, builder types and aliases",
		Why: "Nothing of what is looked at is in the file or beside it in its package: no variable Hosts, " +
			"no variable Builders and no variable slowBotAliases. Most likely it is another file than was meant.",
		Before:  "package main\n\nfunc main() {}",
		After:   "package dashboard\n\nvar Hosts = map[string]*HostConfig{\n\t\"host-linux-amd64\": {VMImage: \"linux-amd64\"},\n}",
		Section: "build protocol, section 12",
	},
	Check: func(p *Pass) {
		if !p.HasHosts && !p.HasBuilders && !p.HasAliases && len(p.Syntax) == 0 {
			p.Reportf(nil, "the file is no builders.go: it declares none of the variables Hosts, Builders and slowBotAliases")
		}
	},
})
