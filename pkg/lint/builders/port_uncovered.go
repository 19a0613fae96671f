package builders

import (
	"fmt"
	"slices"
	"strings"

	"gobuild/pkg/lint"
	"gobuild/pkg/ports"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "port-uncovered", Severity: lint.Warning, Title: "a port of Go that cannot be asked for",
		Why: "In the Go project's own dashboard each operating system, each architecture and each port that go tool dist list " +
			"shows is the name of a builder type or of an alias, which may be empty; a test of that package fails otherwise. " +
			"The ports are those of Go 1.26. Other farms are not held to it.",
		Before:  "var slowBotAliases = map[string]string{\n\t\"linux\": \"linux-amd64\",\n}",
		After:   "var slowBotAliases = map[string]string{\n\t\"linux\":   \"linux-amd64\",\n\t\"illumos\": \"\", // and so on, for every port\n}",
		Section: "build protocol, section 12.3, rule 20",
	},
	Check: func(p *Pass) {
		if !p.upstream() || !p.HasAliases || p.AliasesOpen != "" || !p.allBuilders() {
			return
		}
		aliases := p.aliases()
		var missing []string
		add := func(term string) {
			if aliases[term] == nil && p.Builder(term) == nil && !slices.Contains(missing, term) {
				missing = append(missing, term)
			}
		}
		for _, port := range ports.All() {
			add(port.GOOS)
			add(port.GOARCH)
			add(port.String())
		}
		if len(missing) == 0 {
			return
		}
		slices.Sort(missing)
		p.Reportf(p.declared("slowBotAliases"), "no builder type and no alias is called %s", enumerate(missing, "or"))
	},
})

// enumerate lists words for a sentence: of many the first, and how many more
// there are.
func enumerate(words []string, conjunction string) string {
	const most = 8
	if len(words) > most {
		return fmt.Sprintf("%s %s %d others", strings.Join(words[:most-1], ", "), conjunction, len(words)-most+1)
	}
	last := len(words) - 1
	if last == 0 {
		return words[0]
	}
	return strings.Join(words[:last], ", ") + " " + conjunction + " " + words[last]
}
