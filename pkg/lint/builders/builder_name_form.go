package builders

import (
	"strings"

	"gobuild/pkg/hint"
	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "builder-name-form", Severity: lint.Error, Title: "a name that does not begin with GOOS-GOARCH",
		Why: "What the builder type tests is taken from its name: GOOS is what stands before the first dash, GOARCH what stands before the second. " +
			"A name without a dash makes the coordinator panic when it is first looked at; an empty GOOS or GOARCH is no port.",
		Before:  `addBuilder(BuildConfig{Name: "linuxamd64", HostType: "host-linux-amd64-bullseye"})`,
		After:   `addBuilder(BuildConfig{Name: "linux-amd64", HostType: "host-linux-amd64-bullseye"})`,
		Section: "build protocol, section 12.3, rule 16",
	},
	Check: func(p *Pass) {
		for _, b := range p.Builders {
			if b.Key == "" || b.Rejected {
				continue
			}
			if problem := nameProblem(b.Key); problem != "" {
				near := ""
				if port := hint.Nearest(b.Key, portNames()); port != "" {
					near = ", such as " + port
				}
				p.Reportf(place(b), "the name of builder type %s %s: it has the form GOOS-GOARCH or GOOS-GOARCH-suffix%s", b.Key, problem, near)
			}
		}
	},
})

// nameProblem says what is wrong with the form of a builder type's name, or "".
func nameProblem(name string) string {
	part := strings.Split(name, "-")
	switch {
	case len(part) < 2:
		return "has no dash"
	case part[0] == "":
		return "has no GOOS"
	case part[1] == "":
		return "has no GOARCH"
	}
	return ""
}
