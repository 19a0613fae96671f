package builders

import (
	"go/ast"
	"strconv"

	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "owner-unknown", Severity: lint.Error, Title: "an owner whom the table of people does not have",
		Why: "gh looks a person up by the name at GitHub in the table of package gophers. " +
			"For one who is not in it the coordinator panics when it starts. New owners are added there first.",
		Before:  `Owners: []*gophers.Person{gh("gohper")},`,
		After:   `Owners: []*gophers.Person{gh("gopher")},`,
		Fix:     true,
		Section: "build protocol, section 12.3, rule 6",
	},
	Check: func(p *Pass) {
		handles := p.Handles()
		for _, fault := range p.Panics {
			for _, call := range fault.Calls {
				fn, ok := call.Fun.(*ast.Ident)
				if !ok || fn.Name != "gh" || len(call.Args) != 1 {
					continue
				}
				name, plain := literalText(call.Args[0])
				if !plain {
					p.Reportf(call.Args[0], "nobody with the name %s at GitHub is known: gh panics", p.text(call.Args[0]))
					break
				}
				near, only := slip(name, handles)
				var fix *lint.Fix
				if only {
					fix = p.Replace(call.Args[0], strconv.Quote(near), "name "+near)
				}
				p.ReportFix(call.Args[0], fix, "nobody called %q at GitHub is in the table of people%s", name, didYouMean(name, handles))
				break
			}
		}
	},
})
