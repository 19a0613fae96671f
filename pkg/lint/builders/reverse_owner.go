package builders

import "gobuild/pkg/lint"

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "reverse-owner", Severity: lint.Warning, Title: "dedicated machines without an owner",
		Why: "Whoever finds that the machines are missing or broken looks for Owners. " +
			"Without any that is golang-dev at large, who can do nothing about a machine in somebody's cellar. Those that Google runs (GoogleReverse) need none.",
		Before: `"host-linux-riscv64-board": {IsReverse: true, ExpectNum: 1},`,
		After:  `"host-linux-riscv64-board": {IsReverse: true, ExpectNum: 1, Owners: []*gophers.Person{gh("gopher")}},`,
	},
	Check: func(p *Pass) {
		for _, h := range p.Hosts {
			owners, all := h.List("Owners")
			if h.Is("IsReverse") && h.IsNot("GoogleReverse") && all && len(owners) == 0 && !localDev(h) {
				p.Reportf(h.Node("Owners"), "host type %s has dedicated machines, but no owner", h.Key)
			}
		}
	},
})
