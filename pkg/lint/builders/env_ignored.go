package builders

import (
	"math"
	"slices"
	"strconv"

	"gobuild/pkg/buildconfig"
	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "env-ignored", Severity: lint.Warning, Title: "a variable with a value that is passed over",
		Why: "Nothing complains of such a value; it is as if the variable were not set. The runtime takes a GOMAXPROCS " +
			"above 0, the coordinator a GO_TEST_TIMEOUT_SCALE above 0, the buildlet a GO_DISABLE_OUTBOUND_NETWORK " +
			"that is a bool, and GOHOSTOS names an operating system.",
		Before: `env: []string{"GO_DISABLE_OUTBOUND_NETWORK=yes"}`,
		After:  `env: []string{"GO_DISABLE_OUTBOUND_NETWORK=1"}`,
	},
	Check: func(p *Pass) {
		p.eachEnv(func(_ *buildconfig.Record, list []envVar) {
			for _, e := range list {
				if want := passedOver(e.Name, e.Value); want != "" && e.Pair && e.Value != "" {
					p.Reportf(e.Node, "%s has the value %q, which is passed over: it has to be %s", e.Name, e.Value, want)
				}
			}
		})
	},
})

// passedOver returns what a variable should be if nobody takes notice of this
// value; else "".
func passedOver(name, value string) string {
	n, err := strconv.ParseInt(value, 10, 64)
	switch {
	case name == "GOMAXPROCS" && (err != nil || n <= 0 || n > math.MaxInt32),
		name == "GO_TEST_TIMEOUT_SCALE" && err == nil && n <= 0:
		return "a whole number above 0"
	case name == "GO_DISABLE_OUTBOUND_NETWORK" && !isBool(value):
		return "0 or 1"
	case name == "GOHOSTOS" && !slices.Contains(knownOSes, value):
		return "an operating system of Go, such as linux"
	}
	return ""
}
