package builders

import (
	"go/ast"

	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "alias-duplicate", Severity: lint.Error, Title: "the same alias twice in the table",
		Why:    "A map literal with the same key twice does not compile.",
		Before: "\"arm\": \"linux-arm-aws\",\n\"arm\": \"linux-arm-aws\",",
		After:  "\"arm\": \"linux-arm-aws\",",
		Fix:    true,
	},
	Check: func(p *Pass) {
		table, _ := p.tableValue("slowBotAliases").(*ast.CompositeLit)
		if table == nil {
			return
		}
		first := map[string]*ast.KeyValueExpr{}
		for _, e := range table.Elts {
			kv, ok := e.(*ast.KeyValueExpr)
			if !ok {
				continue
			}
			name, ok := literalText(kv.Key)
			switch other := first[name]; {
			case !ok:
			case other == nil:
				first[name] = kv
			default:
				var fix *lint.Fix
				if p.text(kv.Value) == p.text(other.Value) {
					fix = p.Remove(kv, "take the second one out")
				}
				p.ReportFix(kv.Key, fix, "alias %s is in the table twice, the first time in line %d", name, p.Fset.Position(other.Pos()).Line)
			}
		}
	},
})
