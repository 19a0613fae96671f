package builders

import "gobuild/pkg/lint"

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "test-host", Severity: lint.Warning, Title: "a builder type with a host configuration for tests",
		Why:    "TestHostConf is there for tests: what is in it takes the place of the host type, whatever HostType says and the pages show.",
		Before: `addBuilder(BuildConfig{Name: "linux-amd64", HostType: "host-linux-amd64-bullseye", TestHostConf: &HostConfig{IsReverse: true}})`,
		After:  `addBuilder(BuildConfig{Name: "linux-amd64", HostType: "host-linux-amd64-bullseye"})`,
	},
	Check: func(p *Pass) {
		for _, b := range p.Builders {
			if none, known := b.IsNil("TestHostConf"); known && !none && b.Written("TestHostConf") {
				p.Reportf(b.Node("TestHostConf"), "builder type %s has a TestHostConf, which is for tests: it takes the place of its host type", b.Key)
			}
		}
	},
})
