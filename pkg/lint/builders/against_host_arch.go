package builders

import (
	"gobuild/pkg/lint"
)

var _ = registerChange(ChangeRule{
	Doc: lint.Doc{
		ID: "against-host-arch", Severity: lint.Warning, Title: "a reverse host type whose architecture changes",
		Why: "HostArch names the buildlet and the bootstrap that machines of the host type get. " +
			"Those that are out there still are what they were, and cannot run what they get now.",
		Before: `// old:` + "\n" +
			`"host-linux-arm": {HostArch: "linux-arm-7", IsReverse: true, ExpectNum: 2},` + "\n" +
			`// new:` + "\n" +
			`"host-linux-arm": {HostArch: "linux-arm-5", IsReverse: true, ExpectNum: 2},`,
		After: `// old:` + "\n" +
			`"host-linux-arm": {HostArch: "linux-arm-7", IsReverse: true, ExpectNum: 2},` + "\n" +
			`// new:` + "\n" +
			`"host-linux-arm": {HostArch: "linux-arm-7", IsReverse: true, ExpectNum: 2},` + "\n" +
			`"host-linux-arm-qnap": {HostArch: "linux-arm-5", IsReverse: true, ExpectNum: 1},`,
		Section: "build protocol, section 12.1",
	},
	Check: func(p *Change) {
		for _, h := range p.Old.Hosts {
			now := p.Host(h.Key)
			if !certain(h) || !certain(now) || !h.Is("IsReverse") {
				continue
			}
			was, ok1 := h.String("HostArch")
			is, ok2 := now.String("HostArch")
			if ok1 && ok2 && was != is {
				p.Reportf(now.Node("HostArch"), "HostArch of reverse host type %s changes from %s to %s: its machines are still the old ones", h.Key, was, is)
			}
		}
	},
})
