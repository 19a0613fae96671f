package builders

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"gobuild/pkg/buildconfig"
	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "env-value", Severity: lint.Error, Title: "a variable with a value that Go does not take",
		Why: "The variables that choose what is built and tested have few values. With another one the go command or " +
			"cmd/dist ends at once, or builds as if the variable were not set (GOARM and GOAMD64 since Go 1.23, CGO_ENABLED), " +
			"and then the builder does not test what it says. The values are those of Go 1.26: internal/buildcfg, " +
			"cmd/compile's start for GO386, go/build for CGO_ENABLED, cmd/dist for GO_TEST_SHORT, GO_TEST_TIMEOUT_SCALE, " +
			"GOHOSTARCH and GO_EXTLINK_ENABLED, and cmd/go for GOFLAGS and GO111MODULE.",
		Before:  `env: []string{"GOARCH=arm", "GOARM=8"}`,
		After:   `env: []string{"GOARCH=arm", "GOARM=7"}`,
		Fix:     true,
		Section: "build protocol, section 12.2",
	},
	Check: func(p *Pass) {
		p.eachEnv(func(_ *buildconfig.Record, list []envVar) {
			for _, e := range list {
				p.envValue(e)
			}
		})
	},
})

func (p *Pass) envValue(e envVar) {
	allowed, ok := envValues[e.Name]
	if !e.Pair || !ok || e.Value == "" || allowed.takes(e.Value) {
		return // an empty one is as none at all
	}
	trimmed := strings.TrimSpace(e.Value)
	near, sole := closest(trimmed, allowed.words)
	if near == "" && trimmed != e.Value && trimmed != "" && allowed.takes(trimmed) {
		near, sole = trimmed, true
	}
	var fix *lint.Fix
	if sole {
		text := e.Name + "=" + near
		fix = p.setText(e.Node, text, "write "+text)
	}
	p.ReportFix(e.Node, fix, "%s has the value %q, which %s: it has to be %s%s", e.Name, e.Value,
		cmp.Or(gone[e.Name+"="+e.Value], "Go does not take"), allowed.what, offer(near))
}

// gone has those settings that Go took once.
var gone = map[string]string{"GO386=387": "Go takes no more since Go 1.16"}

// valueSet is what a variable may be set to.
type valueSet struct {
	what  string
	words []string          // all values, or the usual ones
	also  func(string) bool // values that are not among words, or nil
}

func (v valueSet) takes(value string) bool {
	return slices.Contains(v.words, value) || v.also != nil && v.also(value)
}

// wordSet is a valueSet of some words.
func wordSet(words ...string) valueSet {
	what := words[len(words)-1]
	if len(words) > 1 {
		what = strings.Join(words[:len(words)-1], ", ") + " or " + what
	}
	return valueSet{what: what, words: words}
}

// The words that go/build knows (internal/syslist), also those of ports that
// came and went.
var (
	knownOSes = strings.Fields(`aix android darwin dragonfly freebsd hurd illumos ios js linux nacl netbsd
		openbsd plan9 solaris wasip1 windows zos`)
	knownArches = strings.Fields(`386 amd64 amd64p32 arm armbe arm64 arm64be loong64 mips mipsle mips64 mips64le
		mips64p32 mips64p32le ppc ppc64 ppc64le riscv riscv64 s390 s390x sparc sparc64 wasm`)
)

var envValues = map[string]valueSet{
	"GO386":     wordSet("sse2", "softfloat"),
	"GOAMD64":   wordSet("v1", "v2", "v3", "v4"),
	"GOARM":     {"5, 6 or 7, with or without ,hardfloat or ,softfloat", []string{"5", "6", "7"}, takesGOARM},
	"GOARM64":   {"v8.0 to v8.9 or v9.0 to v9.5, with or without ,lse and ,crypto", nil, takesGOARM64},
	"GOMIPS":    wordSet("hardfloat", "softfloat"),
	"GOMIPS64":  wordSet("hardfloat", "softfloat"),
	"GOPPC64":   wordSet("power8", "power9", "power10"),
	"GORISCV64": wordSet("rva20u64", "rva22u64", "rva23u64"),

	"GOOS":       {what: "an operating system of Go, such as linux", words: knownOSes},
	"GOARCH":     {what: "an architecture of Go, such as amd64", words: knownArches},
	"GOHOSTARCH": {what: "an architecture of Go, such as amd64", words: knownArches},

	"CGO_ENABLED":        wordSet("0", "1"),
	"GO_EXTLINK_ENABLED": wordSet("0", "1"),
	"GO111MODULE":        wordSet("auto", "on", "off"),

	"GO_TEST_SHORT":         {what: "0 or 1", also: isBool},
	"GO_TEST_TIMEOUT_SCALE": {what: "a whole number", also: isWhole},
	"GOFLAGS":               {what: "a list of flags such as -count=1", also: takesGOFLAGS},
}

func isBool(value string) bool {
	_, err := strconv.ParseBool(value)
	return err == nil
}

func isWhole(value string) bool {
	_, err := strconv.ParseInt(value, 10, 64)
	return err == nil
}

func takesGOARM(value string) bool {
	value = strings.TrimSuffix(value, ",softfloat")
	value = strings.TrimSuffix(value, ",hardfloat")
	return value == "5" || value == "6" || value == "7"
}

func takesGOARM64(value string) bool {
	for {
		v := strings.TrimSuffix(strings.TrimSuffix(value, ",lse"), ",crypto")
		if v == value {
			break
		}
		value = v
	}
	if len(value) != len("v8.0") {
		return false
	}
	version, minor := value[:len("v8.")], value[len("v8."):]
	return version == "v8." && minor >= "0" && minor <= "9" || version == "v9." && minor >= "0" && minor <= "5"
}

// takesGOFLAGS reports whether cmd/go can split a GOFLAGS into flags. Which
// flags there are differs between releases.
func takesGOFLAGS(value string) bool {
	const space = " \t\n\r"
	for {
		value = strings.TrimLeft(value, space)
		if value == "" {
			return true
		}
		var word string
		if quote := value[0]; quote == '"' || quote == '\'' {
			end := strings.IndexByte(value[1:], quote)
			if end < 0 {
				return false
			}
			word, value = value[1:1+end], value[end+2:]
		} else {
			end := strings.IndexAny(value, space)
			if end < 0 {
				end = len(value)
			}
			word, value = value[:end], value[end:]
		}
		if !strings.HasPrefix(word, "-") || word == "-" || word == "--" || strings.HasPrefix(word, "---") || strings.HasPrefix(word, "-=") || strings.HasPrefix(word, "--=") {
			return false
		}
	}
}
