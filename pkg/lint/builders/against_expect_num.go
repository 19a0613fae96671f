package builders

import (
	"gobuild/pkg/lint"
)

var _ = registerChange(ChangeRule{
	Doc: lint.Doc{
		ID: "against-expect-num", Severity: lint.Info, Title: "a change of how many reverse machines are expected",
		Why: "ExpectNum decides what the status page calls missing. Raised before the machines are " +
			"there it reports them missing; lowered while they are there, nobody notices when one goes.",
		Before: `// old:` + "\n" +
			`"host-linux-arm": {IsReverse: true, ExpectNum: 2},` + "\n" +
			`// new:` + "\n" +
			`"host-linux-arm": {IsReverse: true, ExpectNum: 5},`,
		After: `// old:` + "\n" +
			`"host-linux-arm": {IsReverse: true, ExpectNum: 2},` + "\n" +
			`// new:` + "\n" +
			`//gobuild:ignore against-expect-num three more are connected` + "\n" +
			`"host-linux-arm": {IsReverse: true, ExpectNum: 5},`,
		Section: "build protocol, section 12.1",
	},
	Check: func(p *Change) {
		for _, h := range p.Old.Hosts {
			now := p.Host(h.Key)
			if !certain(h) || !certain(now) || !h.Is("IsReverse") || !now.Is("IsReverse") {
				continue
			}
			was, ok1 := h.Int("ExpectNum")
			is, ok2 := now.Int("ExpectNum")
			if ok1 && ok2 && was != is {
				p.Reportf(now.Node("ExpectNum"), "machines expected of %s change from %d to %d", h.Key, was, is)
			}
		}
	},
})
