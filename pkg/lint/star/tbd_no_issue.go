package star

import (
	"slices"

	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "star-tbd-no-issue", Severity: lint.Info, Title: "a host whose capacity is open, without a known issue",
		Why: "A host is in TBD_CAPACITY_HOSTS while the work to add it is under way. As long as its bot does not run, its builder types have a known issue " +
			"that follows the work; without one they are red on the main console. When the bot runs, the host moves to LOW_CAPACITY_HOSTS.",
		Before: `TBD_CAPACITY_HOSTS = ["linux-sparc64"]` + "\n" +
			`BUILDER_TYPES = ["linux-sparc64"]` + "\n" +
			`KNOWN_ISSUE_BUILDER_TYPES = {}`,
		After: `TBD_CAPACITY_HOSTS = ["linux-sparc64"]` + "\n" +
			`BUILDER_TYPES = ["linux-sparc64"]` + "\n" +
			`KNOWN_ISSUE_BUILDER_TYPES = {"linux-sparc64": known_issue(issue_number = 12345)}`,
		Section: "LUCI protocol, section 12.2",
	},
	Check: func(p *Pass) {
		issues, closed := p.keys("KNOWN_ISSUE_BUILDER_TYPES")
		if !closed || !p.closed {
			return
		}
		list, _ := p.list(tbdTable)
		for _, v := range list {
			has, runs := false, false
			for _, b := range p.builders {
				if b.host == v.text {
					runs, has = true, has || slices.Contains(issues, b.text)
				}
			}
			if runs && !has {
				p.Reportf(v.node, "%s is in %s, and none of its builder types has a known issue", v.text, tbdTable)
			}
		}
	},
})
