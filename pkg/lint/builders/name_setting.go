package builders

import (
	"slices"
	"strings"

	"gobuild/pkg/buildconfig"
	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "name-setting", Severity: lint.Warning, Title: "a name that says a setting which the environment lacks",
		Why: "Parts of names such as -nocgo, -softfloat, -noopt, -goamd64v3 or -boringcrypto say what is special about a builder type. " +
			"What makes it so is a variable in the environment of the builder type or its host type; without it an ordinary build passes for a special one.",
		Before: `addBuilder(BuildConfig{Name: "linux-amd64-nocgo", HostType: "host-linux-amd64-bullseye"})`,
		After:  `addBuilder(BuildConfig{Name: "linux-amd64-nocgo", HostType: "host-linux-amd64-bullseye", env: []string{"CGO_ENABLED=0"}})`,
	},
	Check: func(p *Pass) {
		for _, b := range p.Builders {
			env, all := p.Environ(b)
			part := parts(b.Key)
			if b.Rejected || !all || len(part) < 3 || oldCompile(b) {
				continue
			}
			for _, word := range part[2:] {
				p.checkSetting(b, env, word)
			}
		}
	},
})

// checkSetting checks that what a part of a builder type's name says is so.
func (p *Pass) checkSetting(b *buildconfig.Record, env []buildconfig.Var, word string) {
	if word == "racecompile" {
		if set, known := isSet(b, "InstallRacePackages"); known && !set {
			p.Reportf(place(b), "builder type %s has racecompile in its name, but InstallRacePackages names no packages to install with -race", b.Key)
		}
		return
	}
	says, ok := settingOf(parts(b.Key), word)
	if !ok {
		return
	}
	for _, name := range says.vars {
		if v, found, _ := buildconfig.Setting(env, true, name); found && says.holds(v.Value) {
			return
		}
	}
	if slices.ContainsFunc(says.optional, func(name string) bool { _, found, _ := buildconfig.Setting(env, true, name); return !found }) {
		return
	}
	at, is := place(b), "is not set"
	if v, found, _ := buildconfig.Setting(env, true, says.vars[0]); found {
		at, is = orName(b, v), "is "+v.Value
		if v.Value == "" {
			is = "is empty"
		}
	}
	p.Reportf(at, "builder type %s has %s in its name, which takes %s=%s, but %s %s", b.Key, word, says.vars[0], says.want, says.vars[0], is)
}

// saying is what a part of a name says: that one of some variables has a value.
type saying struct {
	vars     []string
	want     string // as it is written in a message
	holds    func(value string) bool
	optional []string // without this one the machine's default may do
}

// settingOf returns what a word says in a name.
func settingOf(name []string, word string) (saying, bool) {
	exactly := func(value string, vars ...string) (saying, bool) {
		return saying{vars: vars, want: value, holds: func(v string) bool { return v == value }}, true
	}
	has := func(variable, value string) (saying, bool) {
		return saying{vars: []string{variable}, want: value, holds: func(v string) bool { return strings.Contains(v, value) }}, true
	}
	switch word {
	case "nocgo":
		return exactly("0", "CGO_ENABLED")
	case "softfloat":
		return softfloat(name[1]), true
	case "387":
		return exactly("387", "GO386")
	case "noopt":
		return has("GO_GCFLAGS", "-N")
	case "ssacheck":
		return has("GO_GCFLAGS", "-d=ssa/check/on")
	case "clang":
		if name[0] == "linux" { // elsewhere it is what cc is
			return has("CC", "clang")
		}
	case "wasmedge", "wasmer", "wasmtime", "wazero":
		if name[0] == "wasip1" {
			says, _ := exactly(word, "GOWASIRUNTIME")
			if word == "wasmtime" || word == "wazero" { // one of them is the default
				says.optional = says.vars
			}
			return says, true
		}
	case "arm5", "arm6", "arm7":
		if name[0] == "misc" {
			return exactly(strings.TrimPrefix(word, "arm"), "GOARM")
		}
	}
	if slices.Contains(experiments, word) && word != "none" && word != "range" && word != "simd" {
		return saying{vars: []string{"GOEXPERIMENT"}, want: word, holds: func(v string) bool {
			return slices.ContainsFunc(strings.Split(v, ","), func(one string) bool { return strings.HasPrefix(one, word) })
		}}, true
	}
	if variable, value, ok := settingWord(word); ok {
		return exactly(value, variable)
	}
	return saying{}, false
}

// softfloat is what -softfloat says for an architecture.
func softfloat(goarch string) saying {
	vars := []string{"GO386"}
	switch {
	case strings.HasPrefix(goarch, "mips64"):
		vars[0] = "GOMIPS64"
	case strings.HasPrefix(goarch, "mips"):
		vars[0] = "GOMIPS"
	case goarch == "arm":
		vars[0] = "GOARM"
	}
	return saying{vars: vars, want: "softfloat", holds: func(v string) bool { return strings.HasSuffix(v, "softfloat") }}
}

// settingWord returns the setting that a word such as goamd64v3 stands for.
func settingWord(word string) (variable, value string, ok bool) {
	for _, variable := range []string{"GOAMD64", "GOPPC64", "GORISCV64", "GOARM64", "GO386", "GOMIPS64"} {
		if value, ok := strings.CutPrefix(word, strings.ToLower(variable)); ok && value != "" {
			return variable, strings.TrimPrefix(value, "_"), true
		}
	}
	return "", "", false
}
