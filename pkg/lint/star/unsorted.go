package star

import (
	"slices"
	"strings"

	"go.starlark.net/syntax"

	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "star-unsorted", Severity: lint.Info, Fix: true, Title: "a list of hosts that is not in the order of the alphabet",
		Why:     "The lists of hosts of which there are few are kept sorted, so that a second entry and a missing one are seen.",
		Before:  "LOW_CAPACITY_HOSTS = [\"netbsd-arm\", \"aix-ppc64\"]",
		After:   "LOW_CAPACITY_HOSTS = [\"aix-ppc64\", \"netbsd-arm\"]",
		Section: "LUCI protocol, section 12.2",
	},
	Check: func(p *Pass) {
		for _, stmt := range p.Stmts {
			assign, ok := stmt.(*syntax.AssignStmt)
			if !ok {
				continue
			}
			if id, ok := assign.LHS.(*syntax.Ident); ok && slices.Contains(capacityTables, id.Name) {
				syntax.Walk(assign.RHS, func(n syntax.Node) bool {
					if l, ok := n.(*syntax.ListExpr); ok {
						p.checkOrder(l)
					}
					return true
				})
			}
		}
	},
})

// checkOrder reports the first element of a list of strings that belongs
// further up.
func (p *Pass) checkOrder(l *syntax.ListExpr) {
	var literals []*syntax.Literal
	for _, x := range l.List {
		lit, ok := x.(*syntax.Literal)
		if !ok || lit.Token != syntax.STRING {
			return
		}
		literals = append(literals, lit)
	}
	compare := func(a, b *syntax.Literal) int { return strings.Compare(a.Value.(string), b.Value.(string)) }
	sorted := slices.SortedStableFunc(slices.Values(literals), compare)
	for i, lit := range literals {
		if i == 0 || compare(literals[i-1], lit) <= 0 {
			continue
		}
		p.ReportFix(lit, p.reorder(l, literals, sorted), "%s comes behind %s", lit.Value, literals[i-1].Value)
		return
	}
}

// reorder returns a fix that puts the elements of a list into another order;
// nil if there are comments in it, which may be about the order.
func (p *Pass) reorder(l *syntax.ListExpr, from, to []*syntax.Literal) *lint.Fix {
	start, end := p.offsets(l)
	if slices.ContainsFunc(p.comments, func(c piece) bool { return start < c.start && c.start < end }) {
		return nil
	}
	fix := &lint.Fix{Message: "sort the list"}
	for i := range from {
		if from[i] != to[i] {
			start, end := p.offsets(from[i])
			fix.Edits = append(fix.Edits, lint.Edit{Start: start, End: end, New: to[i].Raw})
		}
	}
	return fix
}
