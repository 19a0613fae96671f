package star

import (
	"slices"
	"strings"

	"go.starlark.net/syntax"

	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "star-slow-scope", Severity: lint.Warning, Title: "a slow host's scope that limits something else than it says",
		Why: "The scope in SLOW_HOSTS lists repositories, as REPO or as REPO@BRANCH with a branch's short name. One that is in no table limits the host to nothing. " +
			"And while the scale is looked up by host type, the scope is by the whole name of the builder type: those with run mods are not limited.",
		Before: `GO_BRANCHES = {"gotip": struct(branch = "master")}` + "\n" +
			`PROJECTS = {"go": PT.CORE, "sys": PT.LIBRARY}` + "\n" +
			`BUILDER_TYPES = ["netbsd-arm"]` + "\n" +
			`SLOW_HOSTS = {"netbsd-arm": struct(scale = 5, scope = ["go", "sys@tip"])}`,
		After: `GO_BRANCHES = {"gotip": struct(branch = "master")}` + "\n" +
			`PROJECTS = {"go": PT.CORE, "sys": PT.LIBRARY}` + "\n" +
			`BUILDER_TYPES = ["netbsd-arm"]` + "\n" +
			`SLOW_HOSTS = {"netbsd-arm": struct(scale = 5, scope = ["go", "sys@gotip"])}`,
		Section: "LUCI protocol, section 12.2",
	},
	Check: func(p *Pass) {
		items, _ := p.dict(slowTable)
		projects, knownProjects := p.keys(projectTable)
		branches, knownBranches := p.branches()
		byType := p.scopeByType()
		for _, it := range items {
			scope := it.val.field("scope")
			if scope == nil || it.key.kind != text {
				continue
			}
			for _, v := range scope.elems {
				repo, branch, has := strings.Cut(v.text, "@")
				switch {
				case v.kind != text:
				case knownProjects && !slices.Contains(projects, repo):
					_, also := near(repo, projects)
					p.Reportf(v.node, "the scope %q is of no project in %s%s", v.text, projectTable, also)
				case has && knownBranches && !slices.Contains(branches, branch):
					_, also := near(branch, branches)
					p.Reportf(v.node, "the scope %q has a branch that is not there%s", v.text, also)
				}
			}
			if !byType || !p.closed || !slices.Contains(p.hosts, it.key.text) {
				continue
			}
			for _, b := range p.builders {
				if b.host == it.key.text && b.text != it.key.text {
					p.Reportf(it.key.node, "the scope of %s does not limit builder type %s: it is looked up by the whole name", it.key, b.text)
					break
				}
			}
		}
	},
})

// scopeByType reports whether the file looks a scope up by builder type.
func (p *Pass) scopeByType() (is bool) {
	for _, stmt := range p.Stmts {
		syntax.Walk(stmt, func(n syntax.Node) bool {
			if dot, ok := n.(*syntax.DotExpr); ok && dot.Name.Name == "scope" {
				if index, ok := dot.X.(*syntax.IndexExpr); ok && isIdent(index.X, slowTable) && isIdent(index.Y, "builder_type") {
					is = true
				}
			}
			return true
		})
	}
	return is
}

func isIdent(x syntax.Expr, name string) bool {
	id, ok := x.(*syntax.Ident)
	return ok && id.Name == name
}
