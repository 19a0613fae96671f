package builders

import (
	"strconv"

	"gobuild/pkg/hint"
	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "builder-host-unknown", Severity: lint.Error, Title: "a builder type on a host type that is not there",
		Why: "HostType is a key of Hosts. If there is none the coordinator panics when it starts, " +
			"with a message about a missing buildlet config that does not name the host type.",
		Before:  `addBuilder(BuildConfig{Name: "linux-amd64", HostType: "host-linux-amd64-bulseye"})`,
		After:   `addBuilder(BuildConfig{Name: "linux-amd64", HostType: "host-linux-amd64-bullseye"})`,
		Fix:     true,
		Section: "build protocol, section 12.3, rule 11",
	},
	Check: func(p *Pass) {
		if !p.allHosts() {
			return
		}
		names := p.HostTypes()
		for _, b := range p.Builders {
			host, ok := b.String("HostType")
			if !ok || host == "" || p.Host(host) != nil {
				continue
			}
			at := b.Node("HostType")
			var fix *lint.Fix
			if text, ok := literalText(at); ok && text == host {
				if near := hint.Sole(host, names); near != "" {
					fix = p.Replace(at, strconv.Quote(near), "use host type "+near)
				}
			}
			p.ReportFix(at, fix, "builder type %s runs on host type %s, which is not in Hosts%s", b.Key, host, didYouMean(host, names))
		}
	},
})
