package builders

import (
	"slices"
	"strings"

	"gobuild/pkg/buildconfig"
	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "env-form", Severity: lint.Error, Title: "an element of env that is no NAME=VALUE",
		Why: "What stands in env goes to the commands as it is. An element without =, without a name, " +
			"with blanks around the name, or with a name of the Go tools in small letters sets nothing that anybody reads.",
		Before: `env: []string{"goarch=386", "GOHOSTARCH = 386", "CGO_ENABLED"}`,
		After:  `env: []string{"GOARCH=386", "GOHOSTARCH=386", "CGO_ENABLED=1"}`,
		Fix:    true,
	},
	Check: func(p *Pass) {
		p.eachEnv(func(r *buildconfig.Record, list []envVar) {
			for _, e := range list {
				p.envForm(r, e)
			}
		})
	},
})

func (p *Pass) envForm(r *buildconfig.Record, e envVar) {
	name := strings.TrimSpace(e.Name)
	upper := strings.ToUpper(name)
	switch {
	case !e.Pair:
		p.Reportf(e.Node, "%q is no environment variable: each element of env is NAME=VALUE", e.Text)
	case name == "":
		p.Reportf(e.Node, "the environment variable %q has no name: each element of env is NAME=VALUE", e.Text)
	case name != e.Name:
		text := name + "=" + strings.TrimSpace(e.Value)
		p.ReportFix(e.Node, p.setText(e.Node, text, "write "+text), "the environment variable %q has blanks around its name: it has to be %s", e.Text, text)
	case name != upper && p.osOf(r) != "" && p.osOf(r) != "windows" && (knownVar(upper) && strings.HasPrefix(upper, "GO") || slices.Contains(variantNames, upper)):
		// Windows does not tell small letters from capitals; and programs other
		// than Go's have names in small letters, such as http_proxy.
		text := upper + "=" + e.Value
		p.ReportFix(e.Node, p.setText(e.Node, text, "write "+text), "nothing reads the environment variable %s: its name is %s", name, upper)
	}
}
