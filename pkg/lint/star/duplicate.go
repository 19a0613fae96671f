package star

import (
	"go.starlark.net/syntax"

	"gobuild/pkg/lazyre"
	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "star-duplicate", Severity: lint.Error, Fix: true, Title: "a builder type or a key that is there twice",
		Why:    "lucicfg refuses a builder that is declared twice, and Starlark a dict with the same key twice.",
		Before: "BUILDER_TYPES = [\n    \"linux-amd64\",\n    \"linux-amd64\",\n]",
		After:  "BUILDER_TYPES = [\n    \"linux-amd64\",\n]",

		Section: "LUCI protocol, section 12.4",
	},
	Check: func(p *Pass) {
		first := map[string]builder{}
		for _, b := range p.builders {
			other, twice := first[b.text]
			if !twice {
				first[b.text] = b
				continue
			}
			if other.node == b.node {
				continue
			}
			p.ReportFix(b.node, p.removeLiteral(b.node), "builder type %s is there already, on line %d", b.text, p.span(other.node).Start.Line)
		}
		for _, table := range p.tables(lazyre.New(``)) {
			items, _ := p.dict(table)
			for i, it := range items {
				j, found := p.globals[table].firstIndex(it.key)
				again, ok := it.node.(*syntax.DictEntry)
				if !found || j == i || !ok {
					continue
				}
				entry, ok := items[j].node.(*syntax.DictEntry)
				if !ok {
					continue
				}
				var fix *lint.Fix
				if p.source(entry.Value) == p.source(again.Value) {
					fix = p.Remove(again, "remove the second one")
				}
				p.ReportFix(again.Key, fix, "%s is a key already, on line %d", it.key, p.span(entry).Start.Line)
			}
		}
	},
})

// source returns the text of a node.
func (s *Source) source(n syntax.Node) string {
	start, end := s.offsets(n)
	return string(s.Text[start:end])
}

// removeLiteral returns a fix that takes a plain string out of its list.
func (p *Pass) removeLiteral(n syntax.Expr) *lint.Fix {
	if _, ok := n.(*syntax.Literal); !ok {
		return nil
	}
	return p.Remove(n, "remove the second one")
}
