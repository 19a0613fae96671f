package builders

import (
	"gobuild/pkg/buildconfig"
	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "env-hostarch", Severity: lint.Info, Title: "GOARCH=386 on an amd64 machine without GOHOSTARCH",
		Why: "A 386 builder on a machine of amd64 sets GOHOSTARCH=386 too. Without it cmd/dist builds the tools for amd64 " +
			"and cross-compiles only what is tested, so the compiler, the linker and the go command are not tested on 386, and cgo is off by default.",
		Before: `addBuilder(BuildConfig{Name: "linux-386", HostType: "host-linux-amd64", env: []string{"GOARCH=386"}})`,
		After:  `addBuilder(BuildConfig{Name: "linux-386", HostType: "host-linux-amd64", env: []string{"GOARCH=386", "GOHOSTARCH=386"}})`,
	},
	Check: func(p *Pass) {
		for _, b := range p.Builders {
			h := p.HostOf(b)
			if h == nil || b.Rejected || !b.IsNot("CompileOnly") {
				continue
			}
			arch, known := h.String("HostArch")
			host, target := append(parts(arch), ""), buildconfig.Target{}
			if target, _ = p.Target(b); !known || target.GOOS != host[0] || target.GOARCH != "386" || host[1] != "amd64" {
				continue
			}
			env, all := p.Environ(b)
			goarch, set, _ := buildconfig.Setting(env, all, "GOARCH")
			if _, found, certain := buildconfig.Setting(env, all, "GOHOSTARCH"); found || !certain || !set || !goarch.Own {
				continue
			}
			at := b.Node("env")
			if goarch.Node != nil {
				at = goarch.Node
			}
			p.Reportf(at, "builder type %s sets GOARCH=386 on an amd64 machine and no GOHOSTARCH=386: its tools are those of amd64", b.Key)
		}
	},
})
