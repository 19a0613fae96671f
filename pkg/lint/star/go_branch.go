package star

import (
	"strings"

	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "star-go-branch", Severity: lint.Error, Title: "a short name of a branch that stands for another release",
		Why: "In the tables of Go's branches go1.N is the short name of release-branch.go1.N. Where the numbers differ, the builders of one release test the other; " +
			"it comes from copying a line when a release is cut.",
		Before:  `GO_BRANCHES = {"go1.26": struct(branch = "release-branch.go1.25", bootstrap = "1.24.6")}`,
		After:   `GO_BRANCHES = {"go1.26": struct(branch = "release-branch.go1.26", bootstrap = "1.24.6")}`,
		Section: "LUCI protocol, section 12.3",
	},
	Check: func(p *Pass) {
		for _, table := range p.tables(branchTables) {
			items, _ := p.dict(table)
			for _, it := range items {
				v := it.val.field("branch")
				if v == nil || v.kind != text || it.key.kind != text {
					continue
				}
				release, ok := strings.CutPrefix(v.text, "release-branch.")
				if ok && strings.HasPrefix(it.key.text, "go1.") && strings.HasPrefix(release, "go1.") && release != it.key.text {
					p.Reportf(v.node, "%s is branch %s", it.key, v.text)
				}
			}
		}
	},
})
