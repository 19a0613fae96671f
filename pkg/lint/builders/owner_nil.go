package builders

import (
	"gobuild/pkg/goeval"
	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "owner-nil", Severity: lint.Error, Title: "an owner that is nil",
		Why: "Each of Owners is a person; pages that show their names do not expect nil, " +
			"and upstream's tests refuse it. A host type without owners leaves Owners out.",
		Before:  `Owners: []*gophers.Person{gh("gopher"), nil},`,
		After:   `Owners: []*gophers.Person{gh("gopher")},`,
		Fix:     true,
		Section: "build protocol, section 12.3, rule 7",
	},
	Check: func(p *Pass) {
		for _, h := range p.Hosts {
			owners, _ := h.List("Owners")
			for _, o := range owners {
				if _, isNil := o.Value.(goeval.Nil); !isNil || o.Node == nil {
					continue
				}
				p.ReportFix(o.Node, p.Remove(o.Node, "take out the nil"), "an owner of host type %s is nil and should be a person, such as gh(\"name\")", h.Key)
			}
		}
	},
})
