package star

import "gobuild/pkg/lint"

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "star-known-issue-zero", Severity: lint.Error, Title: "a known issue without a number",
		Why: "A known issue has the number of an issue at go.dev/issue: the console of builders with known issues links to it. " +
			"Zero stands for no known issue there, while the table still keeps the builder from being tested before submitting.",
		Before:  `KNOWN_ISSUE_BUILDER_TYPES = {"linux-riscv64": known_issue(issue_number = 0)}`,
		After:   `KNOWN_ISSUE_BUILDER_TYPES = {"linux-riscv64": known_issue(issue_number = 12345)}`,
		Section: "LUCI protocol, section 12.4",
	},
	Check: func(p *Pass) {
		for _, table := range p.tables(issueTables) {
			items, _ := p.dict(table)
			for _, it := range items {
				n := it.val.field("issue_number")
				if n == nil {
					continue
				}
				switch {
				case n.kind == number && n.num <= 0:
					p.Reportf(it.key.node, "the known issue of %s has the number %d", it.key, n.num)
				case n.kind == text || n.kind == none || n.kind == fraction:
					p.Reportf(it.key.node, "the known issue of %s has no whole number", it.key)
				}
			}
		}
	},
})
