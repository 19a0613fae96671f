package builders

import (
	"gobuild/pkg/lint"
)

var _ = registerChange(ChangeRule{
	Doc: lint.Doc{
		ID: "against-builder-host", Severity: lint.Info, Title: "a builder type that moves to another host type",
		Why: "What it finds from now on was found on other machines, and those of the old host type have less to do, " +
			"or nothing.",
		Before: `// old:` + "\n" +
			`addBuilder(BuildConfig{Name: "linux-arm", HostType: "host-linux-arm"})` + "\n" +
			`// new:` + "\n" +
			`addBuilder(BuildConfig{Name: "linux-arm", HostType: "host-linux-arm-pi"})`,
		After: `// old:` + "\n" +
			`addBuilder(BuildConfig{Name: "linux-arm", HostType: "host-linux-arm"})` + "\n" +
			`// new:` + "\n" +
			`//gobuild:ignore against-builder-host the old boards are gone, and 4 new ones are connected` + "\n" +
			`addBuilder(BuildConfig{Name: "linux-arm", HostType: "host-linux-arm-pi"})`,
		Section: "build protocol, section 12.2",
	},
	Check: func(p *Change) {
		for _, b := range p.Old.Builders {
			now := p.Builder(b.Key)
			if !certain(b) || !certain(now) {
				continue
			}
			was, ok1 := b.String("HostType")
			is, ok2 := now.String("HostType")
			if ok1 && ok2 && was != is {
				p.Reportf(now.Node("HostType"), "builder type %s moves from %s to %s", b.Key, was, is)
			}
		}
	},
})
