package builders

import (
	"gobuild/pkg/buildconfig"
	"gobuild/pkg/hint"
	"gobuild/pkg/lint"
)

var _ = registerChange(ChangeRule{
	Doc: lint.Doc{
		ID: "against-host-removed", Severity: lint.Warning, Title: "a reverse host type that the change removes or renames",
		Why: "The name of a reverse host type is baked into deployed machines: their builder key is made from it, " +
			"and stage0 has its flags by it. Once it is gone they are refused, and only their owners can change that.",
		Before:  "\"host-linux-arm\": {IsReverse: true, ExpectNum: 2}, // in the old version; gone in the new one",
		After:   "keep the entry until its machines have been set up anew",
		Section: "build protocol, sections 1 and 6",
	},
	Check: func(p *Pass, old *buildconfig.Source) {
		if !whole(p.Source, old) {
			return
		}
		var added []string
		for _, h := range p.Hosts {
			if old.Host(h.Key) == nil {
				added = append(added, h.Key)
			}
		}
		for _, h := range old.Hosts {
			if !certain(h) || !h.Is("IsReverse") || p.Host(h.Key) != nil {
				continue
			}
			renamed := ""
			if near := hint.Nearest(h.Key, added); near != "" {
				renamed = " (renamed to " + near + "?)"
			}
			n, ok := h.Int("ExpectNum")
			if ok && n > 0 {
				p.Reportf(p.tableNode("Hosts"), "reverse host type %s is gone%s, and %d machines with its key are expected", h.Key, renamed, n)
			} else {
				p.Reportf(p.tableNode("Hosts"), "reverse host type %s is gone%s: machines with its key would be refused", h.Key, renamed)
			}
		}
	},
})
