package builders

import (
	"strings"

	"gobuild/pkg/buildconfig"
	"gobuild/pkg/goeval"
	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "builds-repo-default", Severity: lint.Warning, Title: "a buildsRepo that leaves a repository out and forgets the default",
		Why: "buildRepoByDefault leaves out repositories that only some builders are to build, such as website. A buildsRepo takes its place: " +
			"one that is true for all but some repositories builds those too, which is hardly meant where others are left out.",
		Before: `buildsRepo: func(repo, branch, goBranch string) bool { return repo != "review" },`,
		After:  `buildsRepo: func(repo, branch, goBranch string) bool { return repo != "review" && buildRepoByDefault(repo) },`,
	},
	Check: func(p *Pass) {
		var except, usual []string // what is built on demand, and by default
		for _, repo := range repos {
			switch yes, known := p.AskFunc("buildRepoByDefault", repo); {
			case !known:
				return
			case yes:
				usual = append(usual, repo)
			default:
				except = append(except, repo)
			}
		}
		for _, b := range p.Builders {
			if _, ok := b.WrittenValue("buildsRepo").(*goeval.Func); !ok || b.Rejected || len(except) == 0 {
				continue
			}
			if !p.buildsAll(b, except) {
				continue
			}
			if out := p.leavesOut(b, usual); out != "" {
				p.Reportf(b.Node("buildsRepo"), "buildsRepo of builder type %s leaves %s out, but builds %s, which buildRepoByDefault leaves out: ask that too", b.Key, out, strings.Join(except, ", "))
			}
		}
	},
})

// buildsAll reports whether a builder type certainly builds all the
// repositories at their newest.
func (p *Pass) buildsAll(b *buildconfig.Record, repos []string) bool {
	for _, repo := range repos {
		if yes, known := p.AskWritten(b, "buildsRepo", repo, "master", "master"); !yes || !known {
			return false
		}
	}
	return true
}

// leavesOut returns the first of the repositories that a builder type certainly
// does not build, or "".
func (p *Pass) leavesOut(b *buildconfig.Record, repos []string) string {
	for _, repo := range repos {
		if yes, known := p.AskWritten(b, "buildsRepo", repo, "master", "master"); known && !yes {
			return repo
		}
	}
	return ""
}
