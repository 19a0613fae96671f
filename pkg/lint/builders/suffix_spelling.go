package builders

import (
	"slices"
	"strings"

	"gobuild/pkg/hint"
	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "suffix-spelling", Severity: lint.Warning, Title: "a suffix that is almost -race or -longtest",
		Why: "A builder type uses the race detector if a part of its name is exactly `race`, and runs long tests if one is exactly `longtest`. " +
			"With any other spelling it is an ordinary builder, green without having tested what its name says.",
		Before:  `addBuilder(BuildConfig{Name: "linux-amd64-longtests", HostType: "host-linux-amd64-bullseye"})`,
		After:   `addBuilder(BuildConfig{Name: "linux-amd64-longtest", HostType: "host-linux-amd64-bullseye"})`,
		Section: "build protocol, section 12.2",
	},
	Check: func(p *Pass) {
		for _, b := range p.Builders {
			part := parts(b.Key)
			if b.Rejected || len(part) < 3 || !knownPort(portOf(b.Key)) || strings.HasPrefix(b.Key, miscCompile) {
				continue
			}
			for i, word := range part[2:] {
				was, want := word, almost(word)
				if word == "long" && slices.Contains([]string{"test", "tests"}, follows(part[2:], i)) {
					was, want = "long-"+part[i+3], "longtest"
				}
				if want != "" && !p.lacks(strings.Replace(b.Key, was, want, 1)) {
					p.Reportf(place(b), "builder type %s has %s in its name, which nothing looks for; did you mean %s?", b.Key, was, want)
				}
			}
		}
	},
})

// follows returns the part behind the i-th, or "".
func follows(part []string, i int) string {
	if i+1 < len(part) {
		return part[i+1]
	}
	return ""
}

// slips are misspellings of race. That are few words of four letters that mean
// nothing else.
var slips = []string{"races", "racee", "rrace", "raace", "racce", "rcae", "arce", "raec", "rac", "rce"}

// almost returns the suffix that a part of a name is a slip of the finger for,
// or "".
func almost(word string) string {
	small := strings.ToLower(word)
	switch {
	case word == "race" || word == "longtest":
		return ""
	case small == "race" || slices.Contains(slips, small):
		return "race"
	case glued(small):
		return "race-longtest"
	}
	return hint.Nearest(word, []string{"longtest"})
}

// glued reports whether a part is both suffixes without a dash.
func glued(word string) bool { return word == "longtestrace" || word == "racelongtest" }
