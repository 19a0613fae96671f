package star

import (
	"slices"

	"gobuild/pkg/hint"
	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "star-host-untabled", Severity: lint.Error, Title: "a builder type whose host type is in no table",
		Why: "The host type of a builder type is its name without the run mods. It has to be one of few machines, in LOW_CAPACITY_HOSTS " +
			"(first TBD_CAPACITY_HOSTS), or its version of the operating system has to be known: from a suffix or from DEFAULT_HOST_SUFFIX. " +
			"lucicfg refuses it otherwise, at a line of dimensions_of that says nothing about the tables.",
		Before: `DEFAULT_HOST_SUFFIX = {}` + "\n" +
			`BUILDER_TYPES = ["linux-sparc64"]` + "\n" +
			`LOW_CAPACITY_HOSTS = []`,
		After: `DEFAULT_HOST_SUFFIX = {}` + "\n" +
			`BUILDER_TYPES = ["linux-sparc64"]` + "\n" +
			`LOW_CAPACITY_HOSTS = ["linux-sparc64"]`,
		Section: "LUCI protocol, section 12.2",
	},
	Check: func(p *Pass) {
		low, _ := p.list(lowTable)
		var loose []string // that no builder type has: one may be what is meant
		for _, v := range low {
			if v.kind == text && !slices.Contains(p.hosts, v.text) {
				loose = append(loose, v.text)
			}
		}
		p.eachHost(func(host string, b builder) {
			if split(textValue(host)).suffix != "" || !isPort(host) {
				return // other rules
			}
			if _, failure := p.dimensions(host); failure == "" {
				return
			}
			also := ""
			if other := hint.Nearest(host, loose); other != "" {
				also = "; " + lowTable + " has " + other + ", which no builder type has"
			}
			p.Reportf(b.node, "host type %s is neither in %s nor in %s%s", host, lowTable, suffixTable, also)
		})
	},
})

// eachHost calls f for each host type, with the first builder type that has it.
func (p *Pass) eachHost(f func(host string, b builder)) {
	seen := map[string]bool{"": true}
	for _, b := range p.builders {
		if !seen[b.host] {
			seen[b.host] = true
			f(b.host, b)
		}
	}
}
