package builders

import "gobuild/pkg/lint"

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "reverse-expectnum", Severity: lint.Warning, Title: "dedicated machines of which nobody says how many there should be",
		Why: "ExpectNum is how the coordinator knows that machines are missing. " +
			"Left out it is 0, and nobody is told when the last one is gone. Where none are expected, ExpectNum: 0 says so.",
		Before:  `"host-linux-riscv64-board": {IsReverse: true, Owners: []*gophers.Person{gh("gopher")}},`,
		After:   `"host-linux-riscv64-board": {IsReverse: true, ExpectNum: 1, Owners: []*gophers.Person{gh("gopher")}},`,
		Section: "build protocol, section 12.1",
	},
	Check: func(p *Pass) {
		for _, h := range p.Hosts {
			n, ok := h.Int("ExpectNum")
			if h.Lit != nil && h.Is("IsReverse") && ok && n == 0 && !h.Written("ExpectNum") && !localDev(h) {
				p.Reportf(h.Node("ExpectNum"), "host type %s is reverse, but does not say how many machines are expected (ExpectNum)", h.Key)
			}
		}
	},
})
