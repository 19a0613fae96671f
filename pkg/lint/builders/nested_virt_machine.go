package builders

import "gobuild/pkg/lint"

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "nested-virt-machine", Severity: lint.Error, Title: "NestedVirt with a machine type that does not know it",
		Why: "GCE offers no nested virtualization on e2 and n2d machines, so that no machine of the host type ever starts. " +
			"Without a machine type an n2 is taken, which has it.",
		Before:  `"host-linux-amd64-vmx": {ContainerImage: "linux-x86-sid:latest", machineType: "n2d", NestedVirt: true},`,
		After:   `"host-linux-amd64-vmx": {ContainerImage: "linux-x86-sid:latest", machineType: "n2", NestedVirt: true},`,
		Section: "build protocol, section 12.1",
	},
	Check: func(p *Pass) {
		for _, h := range p.Hosts {
			container, _ := isSet(h, "ContainerImage")
			if container && h.Is("NestedVirt") && h.IsNot("IsReverse") && h.IsNot("IsEC2") && machineFamily(h, "e2", "n2d") {
				typ, _ := h.String("machineType")
				p.Reportf(h.Node("machineType"), "host type %s sets NestedVirt, which %s machines do not support: take n2 or another", h.Key, typ)
			}
		}
	},
})
