package builders

import (
	"gobuild/pkg/buildconfig"
	"gobuild/pkg/goeval"
	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "known-issue-zero", Severity: lint.Error, Title: "issue 0 among the known issues",
		Why:     "KnownIssues are numbers of go.dev/issue. There is no issue 0: with one in the list the coordinator panics when it starts.",
		Before:  `addBuilder(BuildConfig{Name: "plan9-arm", HostType: "host-plan9-arm", KnownIssues: []int{0}})`,
		After:   `addBuilder(BuildConfig{Name: "plan9-arm", HostType: "host-plan9-arm", KnownIssues: []int{49338}})`,
		Fix:     true,
		Section: "build protocol, section 12.3, rule 14",
	},
	Check: func(p *Pass) {
		p.eachIssue(func(b *buildconfig.Record, number int64, e buildconfig.Element) {
			if number != 0 {
				return
			}
			var fix *lint.Fix
			if e.Node != nil {
				fix = p.Remove(e.Node, "remove issue 0")
			}
			p.ReportFix(orField(b, "KnownIssues", e), fix, "builder type %s has the known issue 0, which does not exist", b.Key)
		})
	},
})

// eachIssue calls f for the known issues of all builder types.
func (p *Pass) eachIssue(f func(b *buildconfig.Record, number int64, e buildconfig.Element)) {
	for _, b := range p.Builders {
		list, _ := b.List("KnownIssues")
		for _, e := range list {
			if n, ok := goeval.Int(e.Value); ok {
				f(b, n, e)
			}
		}
	}
}
