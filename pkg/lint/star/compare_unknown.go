package star

import (
	"slices"
	"strings"

	"go.starlark.net/syntax"

	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "star-compare-unknown", Severity: lint.Warning, Title: "a comparison with a builder type, host type or project that is not there",
		Why: "Special cases in the functions ask for a builder type, a host type or a project by name: builder_type == \"linux-arm\", host_type in [...]. " +
			"With a name that is in no table the case never happens, and lucicfg says nothing.",
		Before: `BUILDER_TYPES = ["linux-arm"]` + "\n" +
			`def special(builder_type):` + "\n" +
			`    return builder_type == "linux-amr"`,
		After: `BUILDER_TYPES = ["linux-arm"]` + "\n" +
			`def special(builder_type):` + "\n" +
			`    return builder_type == "linux-arm"`,
		Section: "LUCI protocol, section 12.2",
	},
	Check: func(p *Pass) {
		known := map[string][]string{}
		if p.closed {
			known["builder_type"] = p.builderNames()
			known["host_type"] = p.pinnedHosts()
		}
		if projects, closed := p.keys(projectTable); closed {
			known["project"], known["project_name"] = projects, projects
		}
		kinds := map[string]string{"builder_type": "builder type", "host_type": "host type", "project": "project", "project_name": "project"}
		p.eachComparison(func(name string, with *syntax.Literal) {
			names := known[name]
			text := with.Value.(string)
			if names == nil || slices.Contains(names, text) {
				return
			}
			find := nearHost
			if strings.HasPrefix(name, "project") {
				find = near
			}
			_, also := find(text, names)
			p.Reportf(with, "%s is no %s: the comparison never holds%s", text, kinds[name], also)
		})
	},
})

// pinnedHosts returns the host types, also under the names that they have with
// the default suffix.
func (p *Pass) pinnedHosts() []string {
	names := slices.Clone(p.hosts)
	items, _ := p.dict(suffixTable)
	for _, it := range items {
		names = append(names, it.key.text, it.key.text+"_"+it.val.text)
	}
	return names
}

// eachComparison calls f for every string that functions compare a name with,
// by ==, != or in.
func (p *Pass) eachComparison(f func(name string, with *syntax.Literal)) {
	for _, stmt := range p.Stmts {
		if _, ok := stmt.(*syntax.DefStmt); !ok {
			continue
		}
		syntax.Walk(stmt, func(n syntax.Node) bool {
			b, ok := n.(*syntax.BinaryExpr)
			if !ok {
				return true
			}
			id, ok := b.X.(*syntax.Ident)
			if !ok {
				return true
			}
			var with []syntax.Expr
			switch b.Op {
			case syntax.EQL, syntax.NEQ:
				with = []syntax.Expr{b.Y}
			case syntax.IN, syntax.NOT_IN:
				y := b.Y
				if paren, ok := y.(*syntax.ParenExpr); ok {
					y = paren.X
				}
				switch y := y.(type) {
				case *syntax.ListExpr:
					with = y.List
				case *syntax.TupleExpr:
					with = y.List
				}
			}
			for _, x := range with {
				if lit, ok := x.(*syntax.Literal); ok && lit.Token == syntax.STRING && lit.Value != any("") {
					f(id.Name, lit)
				}
			}
			return true
		})
	}
}
