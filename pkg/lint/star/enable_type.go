package star

import (
	"slices"

	"go.starlark.net/syntax"

	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "star-enable-type", Severity: lint.Warning, Title: "a project enabled for a port that no builder type has",
		Why: "A list enable_types says which ports a project is tested on; its elements are compared with GOOS-GOARCH of a builder type, as a whole. " +
			"An operating system alone, or a port without builder types, enables nothing.",
		Before: `BUILDER_TYPES = ["android-arm64", "linux-amd64"]` + "\n" +
			`def enabled(os, arch):` + "\n" +
			`    enable_types = ["linux-amd64", "android"]` + "\n" +
			`    return any([x == "%s-%s" % (os, arch) for x in enable_types])`,
		After: `BUILDER_TYPES = ["android-arm64", "linux-amd64"]` + "\n" +
			`def enabled(os, arch):` + "\n" +
			`    enable_types = ["linux-amd64", "android-arm64"]` + "\n" +
			`    return any([x == "%s-%s" % (os, arch) for x in enable_types])`,
		Section: "LUCI protocol, section 12.1",
	},
	Check: func(p *Pass) {
		if !p.closed {
			return
		}
		var have []string
		for _, b := range p.builders {
			have = append(have, b.port())
		}
		for _, stmt := range p.Stmts {
			def, ok := stmt.(*syntax.DefStmt)
			if !ok || !hasLiteral(def, "%s-%s") {
				continue // compared in another way
			}
			syntax.Walk(def, func(n syntax.Node) bool {
				assign, ok := n.(*syntax.AssignStmt)
				if !ok || !isIdent(assign.LHS, "enable_types") {
					return true
				}
				types, ok := assign.RHS.(*syntax.ListExpr)
				if !ok {
					return true
				}
				for _, x := range types.List {
					if lit, ok := x.(*syntax.Literal); ok && lit.Token == syntax.STRING && !slices.Contains(have, lit.Value.(string)) {
						p.Reportf(lit, "no builder type is for %s: GOOS-GOARCH never equals that", lit.Value)
					}
				}
				return true
			})
		}
	},
})

func hasLiteral(in syntax.Node, text string) (has bool) {
	syntax.Walk(in, func(n syntax.Node) bool {
		if x, ok := n.(*syntax.Literal); ok && x.Value == any(text) {
			has = true
		}
		return !has
	})
	return has
}
