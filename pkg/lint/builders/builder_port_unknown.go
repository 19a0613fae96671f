package builders

import (
	"slices"
	"strings"

	"gobuild/pkg/hint"
	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "builder-port-unknown", Severity: lint.Error, Title: "a name with a port that Go does not have",
		Why: "The name of a builder type begins with the port that it tests, as `go tool dist list` names it. " +
			"Where it is another, pages and scripts look for the builder in vain, and it tests something else than it says.",
		Before: `addBuilder(BuildConfig{Name: "linux-amd46-longtest", HostType: "host-linux-amd64-bullseye"})`,
		After:  `addBuilder(BuildConfig{Name: "linux-amd64-longtest", HostType: "host-linux-amd64-bullseye"})`,
	},
	Check: func(p *Pass) {
		for _, b := range p.Builders {
			port := portOf(b.Key)
			if b.Rejected || port == "" || nameProblem(b.Key) != "" || knownPort(port) {
				continue
			}
			target, known := p.Target(b)
			made := target.GOOS + "-" + target.GOARCH
			switch {
			case strings.HasPrefix(b.Key, miscCompile): // its name comes from its variables, or differs from them
			case slices.Contains(endings, parts(port)[1]):
				p.Reportf(place(b), "builder type %s is called after %s, which is no port of Go: -%s belongs to the end of the name", b.Key, port, parts(port)[1])
			case known && made != port: // else it is a port to come
				p.Reportf(place(b), "builder type %s is called after %s, which is no port of Go%s", b.Key, port, meant(b.Key, port, made))
			}
		}
	},
})

// meant offers the port that was meant by port in a builder type's name; made
// is the one that it builds for.
func meant(name, port, made string) string {
	goos, glued, _ := strings.Cut(port, "-")
	for _, word := range wellKnown {
		if arch, ok := strings.CutSuffix(glued, word); ok && slices.Contains(portNames(), goos+"-"+arch) {
			return "; did you mean " + strings.Replace(name, port, goos+"-"+arch+"-"+word, 1) + "?"
		}
	}
	if near := hint.Nearest(port, append([]string{made}, portNames()...)); near != "" && near != made {
		return "; it builds for " + made + ", and the nearest is " + near
	}
	return "; it builds for " + made
}
