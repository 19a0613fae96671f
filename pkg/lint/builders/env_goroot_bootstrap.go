package builders

import (
	"strings"

	"gobuild/pkg/buildconfig"
	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "env-goroot-bootstrap", Severity: lint.Info, Title: "GOROOT_BOOTSTRAP on a host type that is given a bootstrap Go",
		Why: "Unless GoBootstrap is none, the coordinator puts that version on the machine, as go1.4 in the work directory. " +
			"A GOROOT_BOOTSTRAP that names another directory makes the build use that one, and the first is fetched for nothing at each build.",
		Before:  `"host-linux-loong64-3a5000": {IsReverse: true, ExpectNum: 5, env: []string{"GOROOT_BOOTSTRAP=/usr/lib/go-bootstrap"}},`,
		After:   `"host-linux-loong64-3a5000": {IsReverse: true, ExpectNum: 5, GoBootstrap: "none", env: []string{"GOROOT_BOOTSTRAP=/usr/lib/go-bootstrap"}},`,
		Section: "build protocol, section 12.1",
	},
	Check: func(p *Pass) {
		p.eachEnv(func(r *buildconfig.Record, list []envVar) {
			h := r
			if has, known := r.Has("GoBootstrap"); known && !has {
				if h = p.HostOf(r); h == nil {
					return
				}
			}
			version, known := h.String("GoBootstrap")
			if !known || version == "" || version == "none" {
				return
			}
			for _, e := range list {
				if e.Name == "GOROOT_BOOTSTRAP" && e.Value != "" && !strings.HasSuffix(e.Value, "go1.4") {
					p.Reportf(e.Node, "GOROOT_BOOTSTRAP is set, so %s is fetched for host type %s and not used: GoBootstrap can be none", version, h.Key)
				}
			}
		})
	},
})
