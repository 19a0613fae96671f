package star

import (
	"strconv"
	"strings"

	"go.starlark.net/syntax"

	"gobuild/pkg/lazyre"
	"gobuild/pkg/lint"
	"gobuild/pkg/ports"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "star-bootstrap", Severity: lint.Error, Fix: true, Title: "a bootstrap version that is none, or too old",
		Why: "The bootstrap in the tables of Go's branches is a version such as 1.24.6, without the letters go. " +
			"Each Go release is built with one of at least a certain version: Go 1.N from 1.22 on with 1.M, where M is N-2 rounded down to an even number. " +
			"With an older one, or one that is not found, every build of the branch fails.",
		Before:  `GO_BRANCHES = {"go1.26": struct(branch = "release-branch.go1.26", bootstrap = "go1.22.6")}`,
		After:   `GO_BRANCHES = {"go1.26": struct(branch = "release-branch.go1.26", bootstrap = "1.24.6")}`,
		Section: "LUCI protocol, section 12.3",
	},
	Check: func(p *Pass) {
		for _, table := range p.tables(branchTables) {
			items, _ := p.dict(table)
			for _, it := range items {
				v := it.val.field("bootstrap")
				if v == nil || v.kind != text || !p.checkVersion(v) {
					continue
				}
				need, have := neededBootstrap(it.key.text), minor(v.text)
				if need > have && have > 0 {
					p.Reportf(v.node, "%s is not built with Go %s: it takes at least 1.%d", it.key, v.text, need)
				}
			}
		}
		for _, table := range p.tables(bootstrapTables) {
			items, _ := p.dict(table)
			for _, it := range items {
				if b := split(it.key); ports.KnownOS(b.goos) && b.goarch != "" {
					p.reportHost(it.key, keyTaken(items))
				}
				if v := it.val; v.kind == text {
					p.checkVersion(v)
				}
			}
		}
		for _, stmt := range p.Stmts {
			syntax.Walk(stmt, func(n syntax.Node) bool {
				assign, ok := n.(*syntax.AssignStmt)
				if !ok {
					return true
				}
				index, ok := assign.LHS.(*syntax.IndexExpr)
				lit, isLit := assign.RHS.(*syntax.Literal)
				if ok && isLit && lit.Token == syntax.STRING && isText(index.Y, "bootstrap_version") {
					p.checkVersion(&value{kind: text, text: lit.Value.(string), node: lit})
				}
				return true
			})
		}
	},
})

// bootstrapTables are tables with bootstrap versions of hosts.
var bootstrapTables = lazyre.New(`BOOTSTRAP`)

var bootstrapVersion = lazyre.New(`^1\.\d+(\.\d+|rc\d+|beta\d+)?(-[0-9A-Za-z.-]+)?$`)

// checkVersion reports a bootstrap version that is none.
func (p *Pass) checkVersion(v *value) bool {
	bare := strings.TrimPrefix(strings.TrimPrefix(v.text, "go"), "v")
	switch {
	case bootstrapVersion.MatchString(v.text):
		return true
	case bootstrapVersion.MatchString(bare):
		p.ReportFix(v.node, p.Replace(v, bare, "write "+bare), "a bootstrap version is written without letters before it: %s", bare)
	default:
		p.Reportf(v.node, "%q is no version of Go such as 1.24.6", v.text)
	}
	return false
}

// neededBootstrap returns the minor version that a branch go1.N is built with
// at least, or 0 if that is not known.
func neededBootstrap(branch string) int {
	switch n := minor(strings.TrimPrefix(branch, "go")); {
	case !strings.HasPrefix(branch, "go1."):
		return 0
	case n >= 22:
		return (n - 2) &^ 1
	case n >= 20:
		return 17
	}
	return 0
}

// minor returns N of 1.N, or 0.
func minor(version string) int {
	digits := strings.TrimPrefix(version, "1.")
	if end := strings.IndexFunc(digits, func(r rune) bool { return r < '0' || r > '9' }); end >= 0 {
		digits = digits[:end]
	}
	n, _ := strconv.Atoi(digits)
	return n
}
