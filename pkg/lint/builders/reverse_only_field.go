package builders

import "gobuild/pkg/lint"

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "reverse-only-field", Severity: lint.Warning, Title: "a field for dedicated machines on a host type in the cloud",
		Why: "ExpectNum and HermeticReverse are about machines that register themselves. " +
			"On another host type HermeticReverse does nothing, and with ExpectNum the page of the coordinator tells of machines that are missing for ever.",
		Before:  `"host-linux-amd64-sid": {ContainerImage: "linux-x86-sid:latest", ExpectNum: 2},`,
		After:   `"host-linux-amd64-sid": {ContainerImage: "linux-x86-sid:latest"},`,
		Section: "build protocol, section 12.1",
	},
	Check: func(p *Pass) {
		for _, h := range p.Hosts {
			vm, _ := isSet(h, "VMImage")
			container, _ := isSet(h, "ContainerImage")
			if !h.IsNot("IsReverse") || !vm && !container {
				continue // what it is at all is said by host-kind
			}
			if n, ok := h.Int("ExpectNum"); ok && n > 0 {
				p.Reportf(h.Node("ExpectNum"), "ExpectNum of host type %s is %d, but it is not reverse (IsReverse): its machines are made when they are needed", h.Key, n)
			}
			if h.Is("HermeticReverse") {
				p.Reportf(h.Node("HermeticReverse"), "host type %s sets HermeticReverse, but is not reverse (IsReverse)", h.Key)
			}
		}
	},
})
