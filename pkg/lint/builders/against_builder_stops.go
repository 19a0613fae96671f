package builders

import (
	"strings"

	"gobuild/pkg/lint"
)

var _ = registerChange(ChangeRule{
	Doc: lint.Doc{
		ID: "against-builder-stops", Severity: lint.Warning, Title: "a builder type that the change stops, wholly or for a repository",
		Why: "What it built before the change it builds no longer. A port whose last builder stops is no longer tested, " +
			"and the machines of its host type idle.",
		Before: `// old:` + "\n" +
			`addBuilder(BuildConfig{Name: "linux-arm", HostType: "host-linux-arm"})` + "\n" +
			`// new:` + "\n" +
			`addBuilder(BuildConfig{Name: "linux-arm", HostType: "host-linux-arm", buildsRepo: disabledBuilder})`,
		After: `// old:` + "\n" +
			`addBuilder(BuildConfig{Name: "linux-arm", HostType: "host-linux-arm"})` + "\n" +
			`// new:` + "\n" +
			`//gobuild:ignore against-builder-stops the boards move to another room until May` + "\n" +
			`addBuilder(BuildConfig{Name: "linux-arm", HostType: "host-linux-arm", buildsRepo: disabledBuilder})`,
		Section: "build protocol, section 12.2",
	},
	Check: func(p *Change) {
		for _, b := range p.Old.Builders {
			now := p.Builder(b.Key)
			if !certain(b) || !certain(now) {
				continue
			}
			var stopped, goesOn []string
			for _, repo := range policyRepos {
				was, ok1 := p.Old.Builds(b, repo, "master", "master")
				is, ok2 := p.Builds(now, repo, "master", "master")
				switch {
				case ok1 && ok2 && was && !is:
					stopped = append(stopped, repo)
				case !ok2 || is:
					goesOn = append(goesOn, repo)
				}
			}
			switch {
			case len(stopped) == 0:
			case len(goesOn) == 0:
				p.Reportf(now.Node("buildsRepo"), "builder type %s stops: it built %s", b.Key, strings.Join(stopped, ", "))
			default:
				p.Reportf(now.Node("buildsRepo"), "builder type %s no longer builds %s", b.Key, strings.Join(stopped, ", "))
			}
		}
	},
})

// policyRepos are the repositories that policies are asked about: those that
// they treat differently.
var policyRepos = []string{"go", "arch", "benchmarks", "build", "crypto", "exp", "mobile", "net", "sys", "tools", "website"}
