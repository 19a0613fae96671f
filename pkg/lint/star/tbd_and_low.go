package star

import (
	"go.starlark.net/syntax"

	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "star-tbd-and-low", Severity: lint.Warning, Fix: true, Title: "a host that is in the lists of few hosts twice",
		Why: "A host moves from TBD_CAPACITY_HOSTS to LOW_CAPACITY_HOSTS when its bot works; the one list is part of the other. " +
			"In both, it is left behind in one, and stays there when the other entry is taken out.",
		Before:  "TBD_CAPACITY_HOSTS = [\"netbsd-386\"]\nLOW_CAPACITY_HOSTS = TBD_CAPACITY_HOSTS + [\"netbsd-386\"]",
		After:   "TBD_CAPACITY_HOSTS = []\nLOW_CAPACITY_HOSTS = TBD_CAPACITY_HOSTS + [\"netbsd-386\"]",
		Section: "LUCI protocol, section 12.2",
	},
	Check: func(p *Pass) {
		type place struct {
			table string
			node  syntax.Expr
		}
		first, seen := map[string]place{}, map[syntax.Expr]bool{}
		for _, table := range capacityTables {
			list, _ := p.list(table)
			for _, v := range list {
				if v.kind != text || seen[v.node] {
					continue // of a list that is part of this one
				}
				seen[v.node] = true
				other, twice := first[v.text]
				switch {
				case !twice:
					first[v.text] = place{table, v.node}
				case other.table == table:
					p.ReportFix(v.node, p.removeLiteral(v.node), "%s is in the list already, on line %d", v.text, p.span(other.node).Start.Line)
				default:
					p.Reportf(v.node, "%s is in %s too, on line %d", v.text, other.table, p.span(other.node).Start.Line)
				}
			}
		}
	},
})
