package star

import (
	"slices"

	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "star-run-mod-unused", Severity: lint.Info, Title: "a run mod that no builder type has",
		Why:     "RUN_MODS says what a run mod of a builder type does. One that is in no builder type's name does nothing: it is left over, or a builder type is missing.",
		Before:  "RUN_MODS = dict(race = make_run_mod(), noopt = make_run_mod())\nBUILDER_TYPES = [\"linux-amd64-race\"]",
		After:   "RUN_MODS = dict(race = make_run_mod())\nBUILDER_TYPES = [\"linux-amd64-race\"]",
		Section: "LUCI protocol, section 12.1",
	},
	Check: func(p *Pass) {
		if !p.closed {
			return
		}
		items, _ := p.dict(modTable)
		for _, it := range items {
			if it.key.kind == text && !slices.ContainsFunc(p.builders, func(b builder) bool { return slices.Contains(b.mods, it.key.text) }) {
				p.Reportf(it.key.node, "no builder type has the run mod %s", it.key)
			}
		}
	},
})
