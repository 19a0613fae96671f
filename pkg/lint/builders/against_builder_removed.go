package builders

import (
	"gobuild/pkg/lint"
)

var _ = registerChange(ChangeRule{
	Doc: lint.Doc{
		ID: "against-builder-removed", Severity: lint.Warning, Title: "a builder type that the change removes or renames",
		Why: "Its history on the dashboard ends, and what names it, such as an alias, a TRY= comment or a " +
			"gomote script, no longer finds it. An alias of that name keeps TRY= comments as they are.",
		Before: `// old:` + "\n" +
			`addBuilder(BuildConfig{Name: "linux-arm", HostType: "host-linux-arm"})` + "\n" +
			`// new:` + "\n" +
			`addBuilder(BuildConfig{Name: "linux-arm-pi", HostType: "host-linux-arm"})`,
		After: `// old:` + "\n" +
			`addBuilder(BuildConfig{Name: "linux-arm", HostType: "host-linux-arm"})` + "\n" +
			`// new:` + "\n" +
			`addBuilder(BuildConfig{Name: "linux-arm-pi", HostType: "host-linux-arm"})` + "\n" +
			`"linux-arm": "linux-arm-pi",`,
		Section: "build protocol, section 12.2",
	},
	Check: func(p *Change) {
		if !whole(p.Source, p.Old) {
			return
		}
		aliases := p.aliases()
		var added []string
		for _, b := range p.Builders {
			if p.Old.Builder(b.Key) == nil {
				added = append(added, b.Key)
			}
		}
		for _, b := range p.Old.Builders {
			if !certain(b) || p.Builder(b.Key) != nil || aliases[b.Key] != nil && certain(p.Builder(aliases[b.Key].Builder)) {
				continue
			}
			p.Reportf(p.declared("Builders"), "builder type %s is gone%s", b.Key, renamed(b.Key, &added))
		}
	},
})
