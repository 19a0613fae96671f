package builders

import (
	"cmp"
	"go/ast"
	"slices"
	"strings"
	"unicode"

	"gobuild/pkg/buildconfig"
	"gobuild/pkg/goeval"
	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "startup-panic", Severity: lint.Error, Title: "the coordinator panics when it starts",
		Why: "A variable or an init function comes to a panic whatever the machine it runs on, so that the coordinator does not start. " +
			"This is told where no other rule says what is wrong.",
		Before:  "func init() {\n\tif len(Builders) == 0 {\n\t\tpanic(\"no builder types\") // none has been added yet\n\t}\n}",
		After:   "func init() {\n\tif len(Hosts) == 0 {\n\t\tpanic(\"no host types\")\n\t}\n}",
		Section: "build protocol, section 12.3",
	},
	Last: true,
	Check: func(p *Pass) {
		if len(p.Syntax) > 0 {
			return // what could not be parsed may be all that is missing
		}
		for _, fault := range p.Panics {
			hosts := p.concerned(fault)
			if p.explained(fault, hosts) {
				continue
			}
			at := p.faultNode(fault, hosts)
			if fault.Message == "" {
				p.Reportf(at, "the coordinator panics here when it starts")
			} else {
				p.Reportf(at, "the coordinator panics when it starts: %.200s", strings.Join(strings.Fields(fault.Message), " "))
			}
		}
	},
})

// concerned returns the host types that a panic is about: those that its
// message names, and that of a builder type which it keeps from being added.
func (p *Pass) concerned(fault goeval.Panic) (list []*buildconfig.Record) {
	words := strings.FieldsFunc(fault.Message, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '-' && r != '_'
	})
	for _, h := range p.Hosts {
		if slices.Contains(words, h.Key) {
			list = append(list, h)
		}
	}
	for _, b := range p.Builders {
		if b.Rejected && b.Call != nil && slices.Contains(fault.Calls, b.Call) {
			if h := p.HostOf(b); h != nil {
				list = append(list, h)
			}
		}
	}
	return list
}

// explained reports whether the finding of another rule, about an error, says
// why.
func (p *Pass) explained(fault goeval.Panic, hosts []*buildconfig.Record) bool {
	var within []ast.Node
	for _, call := range fault.Calls {
		within = append(within, call)
	}
	for _, h := range hosts {
		if h.KeyNode != nil {
			within = append(within, h.KeyNode)
		}
		if h.Lit != nil {
			within = append(within, h.Lit)
		}
	}
	if lit := p.hostsLit(); len(within) == 0 && lit != nil {
		within = append(within, lit) // such as of one without a name
	}
	return slices.ContainsFunc(p.reporter.Findings, func(f lint.Finding) bool {
		return isError(f.Rule) && slices.ContainsFunc(within, func(n ast.Node) bool { return p.covers(n, f) })
	})
}

// isError reports whether a rule is about errors, whatever severity a
// configuration gives it.
func isError(id string) bool {
	doc, ok := rules.Doc(id)
	return ok && doc.Severity == lint.Error
}

// covers reports whether a finding begins within a node.
func (p *Pass) covers(n ast.Node, f lint.Finding) bool {
	start, end := p.Fset.Position(n.Pos()), p.Fset.Position(n.End())
	return start.Filename == f.File &&
		cmp.Or(cmp.Compare(start.Line, f.Line), cmp.Compare(start.Column, f.Column)) <= 0 &&
		cmp.Or(cmp.Compare(f.Line, end.Line), cmp.Compare(f.Column, end.Column)) < 0
}

// faultNode returns where to point for a panic: at the outermost call in the
// linted file, else at the host type, else at the panic itself.
func (p *Pass) faultNode(fault goeval.Panic, hosts []*buildconfig.Record) ast.Node {
	here := func(n ast.Node) bool { start, _ := p.offsets(n); return start >= 0 }
	for _, call := range fault.Calls {
		if here(call) {
			return call
		}
	}
	if len(hosts) > 0 && hosts[0].KeyNode != nil && here(hosts[0].KeyNode) {
		return hosts[0].KeyNode
	}
	if fault.At != nil && here(fault.At) {
		return fault.At
	}
	return nil
}
