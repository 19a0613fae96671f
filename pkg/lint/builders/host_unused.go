package builders

import (
	"slices"

	"gobuild/pkg/hint"
	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "host-unused", Severity: lint.Warning, Title: "a host type that no builder type runs on",
		Why: "Nothing is ever built on its machines. Upstream's tests refuse a host type without a builder type " +
			"unless it is on a list of known ones. Those for local development are left alone.",
		Before: `"host-linux-amd64-buster": {ContainerImage: "linux-x86-buster:latest"}, // and no builder type on it`,
		After: `"host-linux-amd64-buster": {ContainerImage: "linux-x86-buster:latest"},` + "\n" +
			`addBuilder(BuildConfig{Name: "linux-amd64-buster", HostType: "host-linux-amd64-buster"})`,
		Section: "build protocol, section 12.3, rule 18",
	},
	Check: func(p *Pass) {
		users, all := p.users()
		if !all {
			return
		}
		slips := p.misspelledHosts()
		for _, h := range p.Hosts {
			if len(users[h.Key]) > 0 || h.Key == "" || h.Maybe != "" || localDev(h) || slips[h.Key] || expects(h) {
				continue
			}
			p.Reportf(h.Node(""), "no builder type runs on host type %s", h.Key)
		}
	},
})

// misspelledHosts returns the host types that a builder type most likely means
// that names an unknown one: what is wrong there is the builder type.
func (p *Pass) misspelledHosts() map[string]bool {
	names, meant := p.HostTypes(), map[string]bool{}
	for _, b := range p.Builders {
		name, ok := b.String("HostType")
		if _, found := slices.BinarySearch(names, name); ok && !found {
			meant[hint.Nearest(name, names)] = true
		}
	}
	return meant
}
