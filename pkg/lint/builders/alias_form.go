package builders

import (
	"strings"
	"unicode"

	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "alias-form", Severity: lint.Warning, Title: "an alias that nobody can ask for",
		Why: "The coordinator splits a TRY= comment at everything but letters, digits and -_/@, so an alias with another " +
			"sign in it is never met; x/REPO asks for a repository. Capitals count, and every other name is in small letters.",
		Before: `"linux arm64": "linux-arm64",` + "\n" + `"ARM": "linux-arm-aws",`,
		After:  `"linux-arm64-default": "linux-arm64",` + "\n" + `"arm": "linux-arm-aws",`,
		Fix:    true,
	},
	Check: func(p *Pass) {
		aliases := p.aliases()
		for _, a := range p.Aliases {
			better := strings.ToLower(strings.TrimSpace(a.Name))
			var fix *lint.Fix
			if asks(better) && aliases[better] == nil && p.Builder(better) == nil && a.NameNode != nil {
				fix = p.setText(a.NameNode, better, "write "+better)
			}
			switch {
			case a.Name == "":
				p.Reportf(aliasName(a), "an alias has no name")
			case !asks(a.Name):
				p.ReportFix(aliasName(a), fix, "alias %q has a sign in it at which TRY= comments are split: it can have letters, digits, - and _", a.Name)
			case strings.HasPrefix(a.Name, "x/"):
				p.Reportf(aliasName(a), "alias %s begins with x/, which asks for a repository", a.Name)
			case a.Name != better:
				p.ReportFix(aliasName(a), fix, "alias %s is found only with the same capitals: write %s", a.Name, better)
			}
		}
	},
})

// splitsTerms reports whether the coordinator splits TRY= comments at c.
func splitsTerms(c rune) bool {
	return !unicode.IsLetter(c) && !unicode.IsNumber(c) && !strings.ContainsRune("-_/@", c)
}
