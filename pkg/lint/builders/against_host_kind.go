package builders

import (
	"gobuild/pkg/lint"
)

var _ = registerChange(ChangeRule{
	Doc: lint.Doc{
		ID: "against-host-kind", Severity: lint.Warning, Title: "a reverse host type that the change makes a cloud machine",
		Why: "Machines that register themselves as a host type are no longer given work once it is " +
			"made of an image. They stay connected, and their owners are not told.",
		Before: `// old:` + "\n" +
			`"host-linux-arm": {IsReverse: true, ExpectNum: 2},` + "\n" +
			`// new:` + "\n" +
			`"host-linux-arm": {VMImage: "linux-arm"},`,
		After: `// old:` + "\n" +
			`"host-linux-arm": {IsReverse: true, ExpectNum: 2},` + "\n" +
			`// new:` + "\n" +
			`"host-linux-arm": {IsReverse: true, ExpectNum: 2},` + "\n" +
			`"host-linux-arm-vm": {VMImage: "linux-arm"},`,
		Section: "build protocol, section 12.1",
	},
	Check: func(p *Change) {
		for _, h := range p.Old.Hosts {
			now := p.Host(h.Key)
			if certain(h) && certain(now) && h.Is("IsReverse") && now.IsNot("IsReverse") {
				p.Reportf(now.KeyNode, "host type %s is no longer reverse: its machines stay connected and get no work", h.Key)
			}
		}
	},
})
