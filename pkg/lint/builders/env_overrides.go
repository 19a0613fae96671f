package builders

import (
	"gobuild/pkg/buildconfig"
	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "env-overrides", Severity: lint.Info, Title: "a builder type that sets what its host type sets already",
		Why: "The env of the host type comes before the builder type's own, so a setting with the same value changes nothing. " +
			"It hides that the two belong together: whoever changes the one has to find the other.",
		Before: `"host-linux-ppc64le-power9": {IsReverse: true, ExpectNum: 1, env: []string{"GOPPC64=power9"}},` + "\n" +
			`addBuilder(BuildConfig{Name: "linux-ppc64le-power9", HostType: "host-linux-ppc64le-power9", env: []string{"GOPPC64=power9", "CGO_ENABLED=0"}})`,
		After: `"host-linux-ppc64le-power9": {IsReverse: true, ExpectNum: 1, env: []string{"GOPPC64=power9"}},` + "\n" +
			`addBuilder(BuildConfig{Name: "linux-ppc64le-power9", HostType: "host-linux-ppc64le-power9", env: []string{"CGO_ENABLED=0"}})`,
		Fix: true,
	},
	Check: func(p *Pass) {
		for _, b := range p.Builders {
			if h := p.HostOf(b); h != nil && !b.Rejected {
				p.envOverrides(b, h)
			}
		}
	},
})

func (p *Pass) envOverrides(b, h *buildconfig.Record) {
	if _, all := h.List("env"); !all {
		return // another element may come after
	}
	of := map[string]string{}
	for _, e := range ownEnv(h) {
		of[e.Name] = e.Value
	}
	times := map[string]int{}
	own := ownEnv(b)
	for _, e := range own {
		times[e.Name]++
	}
	for _, e := range own {
		if value, set := of[e.Name]; set && e.Pair && value == e.Value && times[e.Name] == 1 {
			p.ReportFix(e.Node, p.removeVar(e), "builder type %s sets %s, which its host type %s sets to the same value", b.Key, e.Name, h.Key)
		}
	}
}
