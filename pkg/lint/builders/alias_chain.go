package builders

import (
	"gobuild/pkg/buildconfig"
	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "alias-chain", Severity: lint.Error, Title: "an alias for another alias",
		Why: "An alias is looked up once and stands for a builder type. What an alias of an alias stands for is the name " +
			"of no builder type, so the TRY= term asks for nothing.",
		Before:  "\"arm\":       \"linux-arm\",\n\"linux-arm\": \"linux-arm-aws\",",
		After:   "\"arm\":       \"linux-arm-aws\",\n\"linux-arm\": \"linux-arm-aws\",",
		Fix:     true,
		Section: "build protocol, section 12.3, rule 19",
	},
	Check: func(p *Pass) {
		if !p.allBuilders() {
			return
		}
		aliases := p.aliases()
		for _, a := range p.Aliases {
			next := aliases[a.Builder]
			if !a.Known || a.Builder == "" || next == nil || p.Builder(a.Builder) != nil {
				continue
			}
			end := p.chainEnd(aliases, next)
			if end == "" {
				p.Reportf(aliasNode(a), "alias %s stands for %s, which is an alias too and not a builder type", a.Name, a.Builder)
				continue
			}
			var fix *lint.Fix
			if a.BuilderNode != nil {
				fix = p.setText(a.BuilderNode, end, "write "+end)
			}
			p.ReportFix(aliasNode(a), fix, "alias %s stands for %s, which is an alias too and not a builder type: it has to be %s", a.Name, a.Builder, end)
		}
	},
})

// chainEnd returns the builder type at the end of a chain of aliases, or "".
func (p *Pass) chainEnd(aliases map[string]*buildconfig.Alias, a *buildconfig.Alias) string {
	for range aliases {
		switch {
		case a == nil || !a.Known:
			return ""
		case p.Builder(a.Builder) != nil:
			return a.Builder
		}
		a = aliases[a.Builder]
	}
	return "" // it ends nowhere
}
