package builders

import (
	"gobuild/pkg/lint"
	"gobuild/pkg/ports"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "host-name-arch", Severity: lint.Warning, Title: "a HostArch that contradicts the name",
		Why: "The second and third part of a host type's name are a port, and HostArch says another: " +
			"whoever reads the name expects other machines than run there. A comment on the line that says why keeps the rule quiet.",
		Before: `"host-linux-arm64-bullseye": {HostArch: "linux-amd64", ContainerImage: "linux-arm64-bullseye:latest"},`,
		After:  `"host-linux-arm64-bullseye": {ContainerImage: "linux-arm64-bullseye:latest"},`,
	},
	Check: func(p *Pass) {
		for _, h := range p.Hosts {
			name := parts(h.Key)
			goos, goarch, _, ok := hostArch(h)
			if !ok || !h.Written("HostArch") || len(name) < 3 {
				continue
			}
			said, is := ports.Port{GOOS: name[1], GOARCH: name[2]}, ports.Port{GOOS: goos, GOARCH: goarch}
			if !said.Known() || !is.Known() || said == is || p.commented(h.Node("HostArch")) || p.commented(h.KeyNode) {
				continue
			}
			p.Reportf(h.Node("HostArch"), "host type %s is for %s by its name, but HostArch says %s", h.Key, said, is)
		}
	},
})
