package builders

import (
	"gobuild/pkg/goeval"
	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "run-bench-never", Severity: lint.Warning, Title: "a builder type for benchmarks that does not build them",
		Why: "The benchmarks that RunBench has run are those of the repositories benchmarks and tools. " +
			"With a buildsRepo that is false for both nothing is ever measured.",
		Before: `addBuilder(BuildConfig{Name: "linux-amd64-perf", HostType: "host-linux-amd64-perf", RunBench: true, buildsRepo: onlyGo})`,
		After:  `addBuilder(BuildConfig{Name: "linux-amd64-perf", HostType: "host-linux-amd64-perf", RunBench: true, buildsRepo: defaultPlus("benchmarks")})`,
	},
	Check: func(p *Pass) {
		for _, b := range p.Builders {
			if _, custom := b.WrittenValue("buildsRepo").(*goeval.Func); b.Rejected || !b.Is("RunBench") || !custom {
				continue
			}
			builds := func(repo, branch, goBranch string) (yes, known bool) {
				if repo != "benchmarks" && repo != "tools" {
					return false, true
				}
				return p.AskWritten(b, "buildsRepo", repo, branch, goBranch)
			}
			if never(builds, p.questions(b)) {
				p.Reportf(b.Node("RunBench"), "builder type %s has RunBench, but its buildsRepo is false for the repositories benchmarks and tools", b.Key)
			}
		}
	},
})
