package builders

import "gobuild/pkg/lint"

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "container-only-field", Severity: lint.Warning, Title: "a field for containers on a host type without one",
		Why: "NestedVirt and KonletVMImage choose the machine that a container runs on. " +
			"Without ContainerImage nothing looks at KonletVMImage, and a machine of its own image has no nested virtualization.",
		Before:  `"host-openbsd-amd64-72": {VMImage: "openbsd-amd64-72", NestedVirt: true},`,
		After:   `"host-openbsd-amd64-72": {VMImage: "openbsd-amd64-72"},`,
		Section: "build protocol, section 12.1",
	},
	Check: func(p *Pass) {
		for _, h := range p.Hosts {
			image, ok := h.String("ContainerImage")
			if !ok || image != "" {
				continue
			}
			for _, field := range []string{"NestedVirt", "KonletVMImage"} {
				if set, _ := isSet(h, field); set {
					p.Reportf(h.Node(field), "host type %s sets %s, which is for containers, but has no ContainerImage", h.Key, field)
				}
			}
		}
	},
})
