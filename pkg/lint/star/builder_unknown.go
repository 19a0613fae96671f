package star

import (
	"slices"

	"gobuild/pkg/lazyre"
	"gobuild/pkg/lint"
)

// builderLists are lists of builder types beside BUILDER_TYPES.
var builderLists = lazyre.New(`^[A-Z][A-Z_]*_BUILDER(S|_TYPES)$`)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "star-builder-unknown", Severity: lint.Warning, Fix: true, Title: "a list of builder types with one that is not there",
		Why: "Lists such as NO_NETWORK_BUILDERS are asked whether a builder type is in them, by its whole name. " +
			"What is not in BUILDER_TYPES is never asked for.",
		Before: `BUILDER_TYPES = ["linux-amd64"]` + "\n" +
			`NO_NETWORK_BUILDERS = ["linux-adm64"]`,
		After: `BUILDER_TYPES = ["linux-amd64"]` + "\n" +
			`NO_NETWORK_BUILDERS = ["linux-amd64"]`,
		Section: "LUCI protocol, section 12.2",
	},
	Check: func(p *Pass) {
		if !p.closed {
			return
		}
		names := p.builderNames()
		for _, table := range p.tables(builderLists) {
			list, _ := p.list(table)
			for _, v := range list {
				if v.kind != text || slices.Contains(names, v.text) {
					continue
				}
				name, also := nearHost(v.text, names)
				var fix *lint.Fix
				if name != "" && !tableHas(list)(name) && p.misspelled(v.text) {
					fix = p.Replace(v, name, "write "+name)
				}
				p.ReportFix(v.node, fix, "%s in %s is no builder type%s", v.text, table, also)
			}
		}
	},
})
