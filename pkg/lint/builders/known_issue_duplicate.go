package builders

import (
	"gobuild/pkg/buildconfig"
	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "known-issue-duplicate", Severity: lint.Info, Title: "a known issue that is listed twice",
		Why:    "The second one says nothing; most likely another number was meant.",
		Before: `addBuilder(BuildConfig{Name: "plan9-386", HostType: "host-plan9-386", KnownIssues: []int{50137, 50137}})`,
		After:  `addBuilder(BuildConfig{Name: "plan9-386", HostType: "host-plan9-386", KnownIssues: []int{50137, 50878}})`,
		Fix:    true,
	},
	Check: func(p *Pass) {
		type issue struct {
			of     *buildconfig.Record
			number int64
		}
		seen := map[issue]bool{}
		p.eachIssue(func(b *buildconfig.Record, number int64, e buildconfig.Element) {
			i := issue{b, number}
			if number == 0 || !seen[i] {
				seen[i] = true
				return
			}
			var fix *lint.Fix
			if e.Node != nil {
				fix = p.Remove(e.Node, "remove the second one")
			}
			p.ReportFix(orField(b, "KnownIssues", e), fix, "builder type %s has the known issue %d twice", b.Key, number)
		})
	},
})
