package builders

import (
	"gobuild/pkg/buildconfig"
	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "expected-unused", Severity: lint.Warning, Title: "machines that are expected, but used by no builder type",
		Why: "ExpectNum says how many machines should be connected, and the page of the coordinator tells of missing ones. " +
			"Here nothing is built on those that come.",
		Before: `"host-linux-riscv64-board": {IsReverse: true, ExpectNum: 2, Owners: []*gophers.Person{gh("gopher")}}, // and no builder type on it`,
		After: `"host-linux-riscv64-board": {IsReverse: true, ExpectNum: 2, Owners: []*gophers.Person{gh("gopher")}},` + "\n" +
			`addBuilder(BuildConfig{Name: "linux-riscv64-board", HostType: "host-linux-riscv64-board"})`,
	},
	Check: func(p *Pass) {
		users, all := p.users()
		if !all {
			return
		}
		slips := p.misspelledHosts()
		for _, h := range p.Hosts {
			if len(users[h.Key]) > 0 || h.Key == "" || h.Maybe != "" || localDev(h) || slips[h.Key] || !expects(h) {
				continue
			}
			n, _ := h.Int("ExpectNum")
			p.Reportf(h.Node("ExpectNum"), "ExpectNum of host type %s is %d, but no builder type runs on it", h.Key, n)
		}
	},
})

// expects reports whether machines of a reverse host type are expected.
func expects(h *buildconfig.Record) bool {
	n, ok := h.Int("ExpectNum")
	return ok && n > 0 && h.Is("IsReverse")
}
