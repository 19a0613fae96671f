package builders

import (
	"gobuild/pkg/lint"
	"gobuild/pkg/ports"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "host-arch-port", Severity: lint.Error, Title: "a HostArch that is no port of Go",
		Why: "HostArch, written or derived from the name, begins with GOOS-GOARCH. " +
			"For what is no port there is no buildlet and no Go to start from. Ports that Go had once, or has and calls broken, are left alone.",
		Before:  `"host-linux-amd46-sid": {ContainerImage: "linux-x86-sid:latest"},`,
		After:   `"host-linux-amd64-sid": {ContainerImage: "linux-x86-sid:latest"},`,
		Section: "build protocol, section 12.1",
	},
	Check: func(p *Pass) {
		for _, h := range p.Hosts {
			goos, goarch, _, ok := hostArch(h)
			port := ports.Port{GOOS: goos, GOARCH: goarch}
			if !ok || knownPort(port.String()) {
				continue
			}
			whence := "HostArch of host type " + h.Key
			if !h.Written("HostArch") {
				whence = "by its name, host type " + h.Key
			}
			p.Reportf(h.Node("HostArch"), "%s is for %s, which is no port of Go%s", whence, port, nearPort(port))
		}
	},
})

// nearPort offers the port that another was most likely meant to be.
func nearPort(port ports.Port) string {
	if swapped := (ports.Port{GOOS: port.GOARCH, GOARCH: port.GOOS}); swapped.Known() {
		return "; did you mean " + swapped.String() + "?"
	}
	return didYouMean(port.String(), portNames())
}
