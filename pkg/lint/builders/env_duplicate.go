package builders

import (
	"gobuild/pkg/buildconfig"
	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "env-duplicate", Severity: lint.Warning, Title: "the same variable twice in one env",
		Why: "Of two settings of a variable the last counts for the commands; GO_TEST_TIMEOUT_SCALE is " +
			"read by the coordinator too, which takes the first. Either way one of them is not what it seems.",
		Before: `env: []string{"GOARCH=386", "GOHOSTARCH=386", "GOARCH=386"}`,
		After:  `env: []string{"GOHOSTARCH=386", "GOARCH=386"}`,
		Fix:    true,
	},
	Check: func(p *Pass) {
		p.eachEnv(func(_ *buildconfig.Record, list []envVar) {
			last := map[string]envVar{}
			for i := len(list) - 1; i >= 0; i-- {
				e := list[i]
				if !e.Pair || e.Name == "" {
					continue
				}
				other, again := last[e.Name]
				if !again {
					last[e.Name] = e
					continue
				}
				if e.Value == other.Value {
					p.ReportFix(e.Node, p.removeVar(e), "%s is set to the same value twice in this env", e.Name)
				} else {
					p.Reportf(e.Node, "%s is set to %q here and to %q further on in the same env: the last counts", e.Name, e.Value, other.Value)
				}
			}
		})
	},
})
