package builders

import (
	"gobuild/pkg/buildconfig"
	"gobuild/pkg/hint"
	"gobuild/pkg/lint"
)

var _ = registerChange(ChangeRule{
	Doc: lint.Doc{
		ID: "against-builder-removed", Severity: lint.Warning, Title: "a builder type that the change removes or renames",
		Why: "Its history on the dashboard ends, and what names it, such as an alias, a TRY= comment or a " +
			"gomote script, no longer finds it.",
		Before:  `addBuilder(BuildConfig{Name: "linux-arm", HostType: "host-linux-arm"}) // in the old version; gone in the new one`,
		After:   "keep the old name as an alias",
		Section: "build protocol, section 12.2",
	},
	Check: func(p *Pass, old *buildconfig.Source) {
		if !whole(p.Source, old) {
			return
		}
		var added []string
		for _, b := range p.Builders {
			if old.Builder(b.Key) == nil {
				added = append(added, b.Key)
			}
		}
		for _, b := range old.Builders {
			if !certain(b) || p.Builder(b.Key) != nil {
				continue
			}
			renamed := ""
			if near := hint.Nearest(b.Key, added); near != "" {
				renamed = " (renamed to " + near + "?)"
			}
			p.Reportf(p.tableNode("Builders"), "builder type %s is gone%s", b.Key, renamed)
		}
	},
})
