package builders

import (
	"fmt"

	"gobuild/pkg/lint"
)

var _ = registerChange(ChangeRule{
	Doc: lint.Doc{
		ID: "against-host-removed", Severity: lint.Warning, Title: "a reverse host type that the change removes or renames",
		Why: "The name of a reverse host type is baked into deployed machines: their builder key is made from it, " +
			"and stage0 has its flags by it. Once it is gone they are refused, and only their owners can change that.",
		Before: `// old:` + "\n" +
			`"host-linux-arm": {IsReverse: true, ExpectNum: 2},` + "\n" +
			`// new:` + "\n" +
			`"host-linux-arm-pi": {IsReverse: true, ExpectNum: 2},`,
		After: `// old:` + "\n" +
			`"host-linux-arm": {IsReverse: true, ExpectNum: 2},` + "\n" +
			`// new:` + "\n" +
			`"host-linux-arm": {IsReverse: true, ExpectNum: 0}, // until its machines are set up anew` + "\n" +
			`"host-linux-arm-pi": {IsReverse: true, ExpectNum: 2},`,
		Section: "build protocol, sections 1 and 6",
	},
	Check: func(p *Change) {
		if !whole(p.Source, p.Old) {
			return
		}
		var added []string
		for _, h := range p.Hosts {
			if p.Old.Host(h.Key) == nil {
				added = append(added, h.Key)
			}
		}
		for _, h := range p.Old.Hosts {
			if !certain(h) || !h.Is("IsReverse") || p.Host(h.Key) != nil {
				continue
			}
			expected := ""
			if n, ok := h.Int("ExpectNum"); ok && n > 0 {
				expected = fmt.Sprintf(" (%d expected)", n)
			}
			p.Reportf(p.declared("Hosts"), "reverse host type %s is gone%s: machines with its key would be refused%s", h.Key, renamed(h.Key, &added), expected)
		}
	},
})
