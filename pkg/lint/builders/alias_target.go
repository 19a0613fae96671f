package builders

import (
	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "alias-target", Severity: lint.Error, Title: "an alias for a builder type that is not there",
		Why: "A TRY= term that is an alias stands for the builder type of that name. If there is none, the term asks for " +
			"nothing and is told to be invalid. An empty target is for a port that is known to have no builder.",
		Before:  `"loong64": "linux-loong64-3a500",`,
		After:   `"loong64": "linux-loong64-3a5000",`,
		Fix:     true,
		Section: "build protocol, section 12.3, rule 19",
	},
	Check: func(p *Pass) {
		if !p.allBuilders() {
			return
		}
		names := p.BuilderNames()
		aliases := p.aliases()
		for _, a := range p.Aliases {
			if !a.Known || a.Builder == "" || p.Builder(a.Builder) != nil || aliases[a.Builder] != nil {
				continue
			}
			near, only := closest(a.Builder, names)
			var fix *lint.Fix
			if only && a.BuilderNode != nil {
				fix = p.setText(a.BuilderNode, near, "write "+near)
			}
			p.ReportFix(aliasNode(a), fix, "alias %s stands for %s, and there is no such builder type%s", a.Name, a.Builder, offer(near))
		}
	},
})
