package star

import (
	"slices"

	"go.starlark.net/syntax"

	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "star-branch-gone", Severity: lint.Info, Title: "a special case for a branch that is no longer built",
		Why: "A comparison of go_branch_short with the short name of a branch that is in none of the tables of branches never holds. " +
			"Such cases are left over when a release goes out of support.",
		Before: `GO_BRANCHES = {"gotip": struct(branch = "master")}` + "\n" +
			`def special(go_branch_short):` + "\n" +
			`    return go_branch_short in ["gotip", "go1.20"]`,
		After: `GO_BRANCHES = {"gotip": struct(branch = "master")}` + "\n" +
			`def special(go_branch_short):` + "\n" +
			`    return go_branch_short in ["gotip"]`,
		Section: "LUCI protocol, section 12.2",
	},
	Check: func(p *Pass) {
		branches, closed := p.branches()
		if !closed {
			return
		}
		p.eachComparison(func(name string, with *syntax.Literal) {
			text := with.Value.(string)
			if name == "go_branch_short" && !slices.Contains(branches, text) {
				p.Reportf(with, "%s is in no table of branches: the comparison never holds", text)
			}
		})
	},
})
