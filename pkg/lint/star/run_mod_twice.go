package star

import (
	"slices"

	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "star-run-mod-twice", Severity: lint.Warning, Title: "a builder type that has a run mod twice",
		Why:     "Each run mod in the name of a builder type is applied, so one that is there twice multiplies its time-outs twice and does nothing else.",
		Before:  `BUILDER_TYPES = ["linux-amd64-race-race"]`,
		After:   `BUILDER_TYPES = ["linux-amd64-race"]`,
		Section: "LUCI protocol, section 12.1",
	},
	Check: func(p *Pass) {
		for _, b := range p.builders {
			for i, mod := range b.mods {
				if slices.Contains(b.mods[:i], mod) {
					p.Reportf(b.node, "builder type %s has the run mod %s twice", b.text, mod)
				}
			}
		}
	},
})
