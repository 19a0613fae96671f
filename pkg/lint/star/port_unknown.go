package star

import "gobuild/pkg/lint"

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "star-port-unknown", Severity: lint.Warning, Title: "a builder type for a port that Go does not have",
		Why: "A builder type begins with GOOS-GOARCH, and its builders set these. " +
			"For a port that is only being worked on the finding is to be ignored with the number of its issue.",
		Before:  `BUILDER_TYPES = ["linux-amd46"]`,
		After:   `BUILDER_TYPES = ["linux-amd64"]`,
		Section: "LUCI protocol, section 12.1",
	},
	Check: func(p *Pass) {
		for _, b := range p.builders {
			if !isPort(b.port()) {
				_, also := near(b.port(), portNames())
				p.Reportf(b.node, "builder type %s is for %s, which is no port of Go%s", b.text, b.port(), also)
			}
		}
		first, _ := p.list("FIRST_CLASS_PORTS")
		for _, v := range first {
			if v.kind == text && !isPort(v.text) {
				_, also := near(v.text, portNames())
				p.Reportf(v.node, "%s is no port of Go%s", v.text, also)
			}
		}
	},
})
