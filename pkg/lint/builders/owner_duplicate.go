package builders

import (
	"go/ast"
	"strings"

	"gobuild/pkg/buildconfig"
	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "owner-duplicate", Severity: lint.Warning, Title: "an owner who is named twice",
		Why:    "One of the two was most likely meant to be somebody else, who is not told about the machines now.",
		Before: `Owners: []*gophers.Person{gh("gopher"), gh("Gopher")},`,
		After:  `Owners: []*gophers.Person{gh("gopher")},`,
		Fix:    true,
	},
	Check: func(p *Pass) {
		for _, h := range p.Hosts {
			seen := map[string]bool{}
			owners, _ := h.List("Owners")
			for _, o := range owners {
				name := ownerName(o)
				if name != "" && seen[strings.ToLower(name)] {
					p.ReportFix(o.Node, p.Remove(o.Node, "take out the second one"), "%s is already an owner of host type %s", name, h.Key)
				}
				seen[strings.ToLower(name)] = true
			}
		}
	},
})

// ownerName returns the name at GitHub of an owner who is given as gh("name").
func ownerName(o buildconfig.Element) string {
	call, ok := o.Node.(*ast.CallExpr)
	if !ok || len(call.Args) != 1 {
		return ""
	}
	if fn, ok := call.Fun.(*ast.Ident); !ok || fn.Name != "gh" {
		return ""
	}
	name, _ := literalText(call.Args[0])
	return name
}
