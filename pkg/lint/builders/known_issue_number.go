package builders

import (
	"gobuild/pkg/buildconfig"
	"gobuild/pkg/lint"
)

// maxIssue is a number that no issue of Go has: in 2026 they were about 80,000,
// and the numbers of changes far above.
const maxIssue = 200000

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "known-issue-number", Severity: lint.Warning, Title: "a known issue with a number that no issue has",
		Why: "KnownIssues are numbers of go.dev/issue, which grow by a few thousand a year. " +
			"One that is negative or far too large is a slip of the finger, or the number of a change (CL).",
		Before: `addBuilder(BuildConfig{Name: "plan9-arm", HostType: "host-plan9-arm", KnownIssues: []int{511555}})`,
		After:  `addBuilder(BuildConfig{Name: "plan9-arm", HostType: "host-plan9-arm", KnownIssues: []int{49338}})`,
	},
	Check: func(p *Pass) {
		p.eachIssue(func(b *buildconfig.Record, number int64, e buildconfig.Element) {
			switch {
			case number < 0:
				p.Reportf(orField(b, "KnownIssues", e), "builder type %s has the known issue %d: numbers of issues are above 0", b.Key, number)
			case number > maxIssue:
				p.Reportf(orField(b, "KnownIssues", e), "builder type %s has the known issue %d: there are not that many at go.dev/issue, is it a change?", b.Key, number)
			}
		})
	},
})
