package builders

import (
	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "alias-arch", Severity: lint.Warning, Title: "an alias with the name of a port, for a builder type of another",
		Why: "Who writes TRY=linux-arm64 wants that port tested and gets the result of another one.",
		Before: `"linux-arm64": "linux-arm-aws",` + "\n" +
			`addBuilder(BuildConfig{Name: "linux-arm-aws", HostType: "host-linux-arm-aws"})` + "\n" +
			`addBuilder(BuildConfig{Name: "linux-arm64-aws", HostType: "host-linux-arm64-aws"})`,
		After: `"linux-arm64": "linux-arm64-aws",` + "\n" +
			`addBuilder(BuildConfig{Name: "linux-arm-aws", HostType: "host-linux-arm-aws"})` + "\n" +
			`addBuilder(BuildConfig{Name: "linux-arm64-aws", HostType: "host-linux-arm64-aws"})`,
		Section: "build protocol, section 12.2",
	},
	Check: func(p *Pass) {
		for _, a := range p.Aliases {
			b := p.Builder(a.Builder)
			goos, goarch := aliasPort(a.Name)
			if !a.Known || b == nil || b.Rejected || goos+goarch == "" {
				continue
			}
			fits := func(os, arch string) bool { return (goos == "" || os == goos) && (goarch == "" || arch == goarch) }
			target, known := p.Target(b)
			name := append(parts(b.Key), "", "")
			// Where the builder type's name has the port but does not test it,
			// builder-arch says so.
			if !known || fits(target.GOOS, target.GOARCH) || fits(name[0], name[1]) || name[0] == "misc" {
				continue
			}
			p.Reportf(aliasNode(a), "alias %s stands for builder type %s, which builds for %s-%s", a.Name, b.Key, target.GOOS, target.GOARCH)
		}
	},
})
