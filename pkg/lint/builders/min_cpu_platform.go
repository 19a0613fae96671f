package builders

import (
	"slices"

	"gobuild/pkg/buildconfig"
	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "min-cpu-platform", Severity: lint.Error, Title: "MinCPUPlatform with a machine type that does not know it",
		Why: "GCE refuses to make an e2 machine with a least CPU, so that no machine of the host type ever starts. " +
			"Without a machine type an n2 is taken, which knows it.",
		Before:  `"host-linux-amd64-fast": {ContainerImage: "linux-x86-sid:latest", machineType: "e2", MinCPUPlatform: "Intel Cascade Lake"},`,
		After:   `"host-linux-amd64-fast": {ContainerImage: "linux-x86-sid:latest", machineType: "n2", MinCPUPlatform: "Intel Cascade Lake"},`,
		Section: "build protocol, section 12.1",
	},
	Check: func(p *Pass) {
		for _, h := range p.Hosts {
			if set, ok := isSet(h, "MinCPUPlatform"); set && ok && h.IsNot("IsReverse") && h.IsNot("IsEC2") && machineFamily(h, "e2") {
				p.Reportf(h.Node("machineType"), "host type %s sets MinCPUPlatform, which e2 machines do not support: take n2 or another", h.Key)
			}
		}
	},
})

// machineFamily reports whether a host type's machines are of one of these
// families of GCE.
func machineFamily(h *buildconfig.Record, families ...string) bool {
	typ, ok := h.String("machineType")
	return ok && slices.Contains(families, parts(typ)[0])
}
