package builders

import "gobuild/pkg/lint"

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "cloud-only-field", Severity: lint.Warning, Title: "a field for machines in the cloud on a reverse host type",
		Why: "Machine type, disk and the like are for machines that the coordinator makes. " +
			"Dedicated machines are as they are, and nothing looks at the field.",
		Before:  `"host-linux-riscv64-board": {IsReverse: true, ExpectNum: 1, machineType: "n2"},`,
		After:   `"host-linux-riscv64-board": {IsReverse: true, ExpectNum: 1},`,
		Fix:     true,
		Section: "build protocol, section 12.1",
	},
	Check: func(p *Pass) {
		for _, h := range p.Hosts {
			vm, _ := isSet(h, "VMImage")
			container, _ := isSet(h, "ContainerImage")
			if !h.Is("IsReverse") || vm || container {
				continue // what it is at all is said by host-kind
			}
			for _, field := range []string{"machineType", "RegularDisk", "MinCPUPlatform", "cosArchitecture", "RootDriveSizeGB", "CustomDeleteTimeout"} {
				set, ok := isSet(h, field)
				if !set || !ok {
					continue
				}
				var fix *lint.Fix
				if kv := h.KeyValue(field); kv != nil {
					fix = p.Remove(kv, "take out "+field)
				}
				p.ReportFix(h.Node(field), fix, "host type %s is reverse: %s is for machines in the cloud and does nothing", h.Key, field)
			}
		}
	},
})
