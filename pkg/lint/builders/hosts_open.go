package builders

import (
	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "hosts-open", Severity: lint.Info, Title: "a table of host types that cannot be read whole",
		Why: "Some host types are made in a way that hangs on what is not in the source, such as the environment or a package " +
			"that is not at hand. Rules that need all of them find nothing then: no host type is called unknown or unused.",
		Before: `Hosts[os.Getenv("HOST")] = &HostConfig{IsReverse: true}`,
		After:  `Hosts["host-linux-amd64-localdev"] = &HostConfig{IsReverse: true}`,
	},
	Check: func(p *Pass) {
		if p.HostsOpen != "" && p.Stopped == "" && len(p.Syntax) == 0 {
			p.Reportf(p.declared("Hosts"), "there may be other host types than can be read, because this is not known: %s", p.HostsOpen)
		}
	},
})
