package builders

import (
	"go/ast"

	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "host-duplicate", Severity: lint.Error, Title: "a host type that is there twice",
		Why: "A literal of a map may have each key only once: the file does not compile. " +
			"Mostly an entry was copied and its key was left as it was. --fix takes the second one out if it repeats the first to the letter.",
		Before:  "\"host-linux-amd64-sid\": {ContainerImage: \"linux-x86-sid:latest\"},\n\"host-linux-amd64-sid\": {ContainerImage: \"linux-x86-bookworm:latest\"},",
		After:   "\"host-linux-amd64-bookworm\": {ContainerImage: \"linux-x86-bookworm:latest\"},\n\"host-linux-amd64-sid\": {ContainerImage: \"linux-x86-sid:latest\"},",
		Fix:     true,
		Section: "build protocol, section 12.3, rule 4",
	},
	Check: func(p *Pass) {
		lit := p.hostsLit()
		if lit == nil {
			return
		}
		first := map[string]*ast.KeyValueExpr{}
		for _, e := range lit.Elts {
			kv, ok := e.(*ast.KeyValueExpr)
			if !ok {
				continue
			}
			key, ok := literalText(kv.Key)
			if !ok {
				continue
			}
			before := first[key]
			if before == nil {
				first[key] = kv
				continue
			}
			var fix *lint.Fix
			if p.text(before.Value) == p.text(kv.Value) {
				fix = p.Remove(kv, "take out what repeats an entry")
			}
			p.ReportFix(kv.Key, fix, "host type %q is already in the table, at line %d", key, p.Fset.Position(before.Pos()).Line)
		}
	},
})
