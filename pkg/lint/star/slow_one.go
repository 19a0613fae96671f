package star

import "gobuild/pkg/lint"

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "star-slow-one", Severity: lint.Info, Title: "a slow host whose scale is 1",
		Why:     "A host that is not in SLOW_HOSTS has the scale 1. An entry that says so changes nothing, unless it limits the scope.",
		Before:  `SLOW_HOSTS = {"netbsd-arm": struct(scale = 1)}`,
		After:   `SLOW_HOSTS = {"netbsd-arm": struct(scale = 2)}`,
		Section: "LUCI protocol, section 12.2",
	},
	Check: func(p *Pass) {
		items, _ := p.dict(slowTable)
		for _, it := range items {
			scale, _ := p.scale(it)
			if scale.kind == number && scale.num == 1 && it.val.field("scope") == nil {
				p.Reportf(it.key.node, "the scale of %s is 1, which every host has", it.key)
			}
		}
	},
})
