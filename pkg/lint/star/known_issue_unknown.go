package star

import (
	"slices"

	"gobuild/pkg/lazyre"
	"gobuild/pkg/lint"
)

// issueTables are the tables of builder types with known issues; that of the
// security builders is made from the other.
var issueTables = lazyre.New(`^([A-Z_]+_)?KNOWN_ISSUE_BUILDER_TYPES$`)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "star-known-issue-unknown", Severity: lint.Error, Fix: true, Title: "a known issue of a builder type that is not there",
		Why: "KNOWN_ISSUE_BUILDER_TYPES is looked up by the whole name of a builder type, with suffix and run mods. " +
			"An entry under another name hides nothing: the builder is tested before submitting and is red on the main console.",
		Before: `BUILDER_TYPES = ["linux-riscv64"]` + "\n" +
			`KNOWN_ISSUE_BUILDER_TYPES = {"linux-risv64": known_issue(issue_number = 12345)}`,
		After: `BUILDER_TYPES = ["linux-riscv64"]` + "\n" +
			`KNOWN_ISSUE_BUILDER_TYPES = {"linux-riscv64": known_issue(issue_number = 12345)}`,
		Section: "LUCI protocol, section 12.4",
	},
	Check: func(p *Pass) {
		if !p.closed {
			return
		}
		names := p.builderNames()
		for _, table := range p.tables(issueTables) {
			items, _ := p.dict(table)
			for _, it := range items {
				key := it.key
				if key.kind != text || slices.Contains(names, key.text) {
					continue
				}
				name, also := nearHost(key.text, names)
				var fix *lint.Fix
				if name != "" && !keyTaken(items)(name) && p.misspelled(key.text) {
					fix = p.Replace(key, name, "write "+name)
				}
				p.ReportFix(key.node, fix, "%s is no builder type%s", key.text, also)
			}
		}
	},
})
