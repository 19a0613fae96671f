package builders

import (
	"gobuild/pkg/buildconfig"
	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "builder-duplicate", Severity: lint.Error, Title: "two builder types of one name",
		Why:     "The name is the key of the table of builder types. At the second of the same name the coordinator panics when it starts.",
		Before:  "addBuilder(BuildConfig{Name: \"linux-amd64\", HostType: \"host-linux-amd64-bullseye\"})\naddBuilder(BuildConfig{Name: \"linux-amd64\", HostType: \"host-linux-amd64-sid\"})",
		After:   "addBuilder(BuildConfig{Name: \"linux-amd64\", HostType: \"host-linux-amd64-bullseye\"})\naddBuilder(BuildConfig{Name: \"linux-amd64-sid\", HostType: \"host-linux-amd64-sid\"})",
		Section: "build protocol, section 12.3, rule 10",
	},
	Check: func(p *Pass) {
		first := map[string]*buildconfig.Record{}
		for _, b := range p.Builders {
			other := first[b.Key]
			switch {
			case b.Key == "":
			case other == nil:
				first[b.Key] = b
			case b.Rejected || other.Rejected:
				p.reportTwice(other, b)
			}
		}
	},
})

// reportTwice reports the later one of two builder types of the same name.
func (p *Pass) reportTwice(a, b *buildconfig.Record) {
	at, other := place(b), place(a)
	if at != nil && other != nil && at.Pos() < other.Pos() {
		at, other = other, at
	}
	if other == nil || at == nil || at.Pos() == other.Pos() {
		p.Reportf(at, "builder type %s is added more than once here: each needs a name of its own", b.Key)
		return
	}
	p.Reportf(at, "builder type %s is there already, see line %d: each needs a name of its own", b.Key, p.Fset.Position(other.Pos()).Line)
}
