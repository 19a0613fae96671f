package builders

import (
	"slices"
	"strings"

	"gobuild/pkg/buildconfig"
	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "setting-unnamed", Severity: lint.Info, Title: "a setting that the name does not say",
		Why: "A builder type that is built without cgo, without optimizations, with an experiment or for a newer processor is called so: " +
			"-nocgo, -noopt, -boringcrypto, -goamd64v3. Where the name says nothing of it, those who look at a failure do not expect it, " +
			"and the ordinary builder of that name is missing.",
		Before: `addBuilder(BuildConfig{Name: "linux-amd64-bullseye", HostType: "host-linux-amd64-bullseye", env: []string{"CGO_ENABLED=0"}})`,
		After:  `addBuilder(BuildConfig{Name: "linux-amd64-nocgo", HostType: "host-linux-amd64-bullseye", env: []string{"CGO_ENABLED=0"}})`,
	},
	Check: func(p *Pass) {
		for _, b := range p.Builders {
			part := parts(b.Key)
			if b.Rejected || len(part) < 2 || part[0] == "misc" {
				continue
			}
			env, all := p.Environ(b)
			for _, v := range env {
				last, _, known := buildconfig.Setting(env, all, v.Name)
				word := wordOf(part, v)
				if known && v.Own && last == v && word != "" && !says(part, word, v.Name) {
					p.Reportf(orName(b, v), "builder type %s sets %s=%s, but its name does not say %s", b.Key, v.Name, v.Value, word)
				}
			}
		}
	},
})

// says reports whether a name says a word, or its beginning, or something else
// about the variable.
func says(name []string, word, variable string) bool {
	return slices.ContainsFunc(name[2:], func(part string) bool {
		other, ok := settingOf(name, part)
		return strings.Contains(part, word) || len(part) > 4 && strings.HasPrefix(word, part) ||
			ok && slices.Contains(other.vars, variable)
	})
}

// noCgo are the operating systems on which there is no cgo, or hardly any.
var noCgo = []string{"js", "wasip1", "plan9", "aix", "dragonfly", "illumos", "solaris"}

// wordOf returns what a name says about a variable with this value, or "" if
// it need say nothing.
func wordOf(name []string, v buildconfig.Var) string {
	switch {
	case v.Name == "CGO_ENABLED" && v.Value == "0" && !slices.Contains(noCgo, name[0]):
		return "nocgo"
	case v.Value == "softfloat" && v.Name == "GO386":
		return "softfloat"
	case v.Name == "GO_GCFLAGS" && v.Value == "-N -l":
		return "noopt"
	case v.Name == "GO_GCFLAGS" && v.Value == "-d=ssa/check/on":
		return "ssacheck"
	case v.Name == "GO_TEST_SHORT" && v.Value == "0":
		return "longtest"
	case v.Name == "GOEXPERIMENT" && slices.Contains(experiments, v.Value) && v.Value != "none":
		return v.Value
	case v.Name == "GOAMD64" && slices.Contains([]string{"v2", "v3", "v4"}, v.Value):
		return v.Value
	case v.Name == "GOWASIRUNTIME" && slices.Contains([]string{"wasmedge", "wasmer", "wasmtime", "wazero"}, v.Value):
		return v.Value
	}
	return ""
}
