package builders

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// goCommand runs a go command with another environment and returns what it
// prints, and whether it succeeds.
func goCommand(t *testing.T, env []string, args ...string) (out string, ok bool) {
	t.Helper()
	cmd := exec.Command("go", args...)
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), env...)
	text, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(text)), err == nil
}

// goTakes reports what the real Go makes of a variable.
func goTakes(t *testing.T, name, value string) bool {
	setting := name + "=" + value
	// The tags say what a variable comes to: one that is passed over leaves
	// those of the default.
	tags := func(arch string, env ...string) string {
		out, ok := goCommand(t, append(env, "GOARCH="+arch), "list", "-f", "{{context.ToolTags}}", "runtime")
		if !ok {
			return "refused"
		}
		return out
	}
	switch name {
	case "GOARM", "GOAMD64":
		// Since Go 1.23 a wrong one is taken for the default, v1 or 7; so one
		// with the tags of the default has to be it.
		arch := variantArches[name][0]
		got, none := tags(arch, setting), tags(arch, name+"=")
		return got != "refused" && (got != none || slices.Contains([]string{"7", "7,hardfloat", "7,softfloat", "v1"}, value))
	case "GO386":
		file := filepath.Join(t.TempDir(), "x.go")
		if err := os.WriteFile(file, []byte("package x\n\nfunc F() float64 { return 1.5 }\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		_, ok := goCommand(t, []string{"GOARCH=386", setting}, "tool", "compile", "-p", "x", "-o", os.DevNull, file)
		return ok
	case "CGO_ENABLED":
		// One that is passed over is 1 with a C compiler, and 0 for another port.
		own, _ := goCommand(t, []string{setting, "CC=go", "GOOS=", "GOARCH="}, "env", "CGO_ENABLED")
		cross, _ := goCommand(t, []string{setting, "GOOS=plan9", "GOARCH=386"}, "env", "CGO_ENABLED")
		return own == cross
	}
	_, ok := goCommand(t, []string{setting}, "list", "runtime")
	return ok
}

// TestEnvValuesOfGo compares the values that the rule takes with those that the
// installed Go takes.
func TestEnvValuesOfGo(t *testing.T) {
	if version, ok := goCommand(t, nil, "env", "GOVERSION"); !ok || !strings.HasPrefix(version, "go1.26") {
		t.Skipf("the tables are those of Go 1.26, and this is %s", version)
	}
	t.Parallel()
	for name, values := range map[string][]string{
		"GO386":       {"sse2", "softfloat", "387", "SSE2", "hardfloat"},
		"GOAMD64":     {"v1", "v2", "v3", "v4", "v5", "v0", "3", "V3"},
		"GOARM":       {"5", "6", "7", "8", "v7", "5,softfloat", "6,hardfloat", "7,softfloat", "4,softfloat", "6hf"},
		"GOARM64":     {"v8.0", "v8.9", "v9.0", "v9.5", "v9.6", "v8.10", "v8.", "v7.0", "v8", "8.0", "v8.0,lse", "v8.1,crypto,lse", "v8.0,crypto,crypto", "v8.0,sve", "v8.0,", "v8.:"},
		"GOMIPS":      {"hardfloat", "softfloat", "soft"},
		"GOMIPS64":    {"hardfloat", "softfloat", "soft"},
		"GOPPC64":     {"power8", "power9", "power10", "power7", "power11", "POWER9", "9"},
		"GORISCV64":   {"rva20u64", "rva22u64", "rva23u64", "rva20", "rv64gc"},
		"CGO_ENABLED": {"0", "1", "true", "false", "yes", "2", " 1"},
		"GO111MODULE": {"on", "off", "auto", "1", "ON", " on"},
		"GOFLAGS": {
			"-count=1", "--count=1", "-x -count=1", "'-tags=a b'", "\"-tags=a b\" -x", "-tags=a\"", "-count 1", "count=1",
			"-", "--", "---x", "-=x", "'-tags=a", "-tags='a b'", " ", "-v\t-x", "--=x",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, value := range values {
				if got, want := envValues[name].takes(value), goTakes(t, name, value); got != want {
					t.Errorf("%s=%q: taken %v, by Go %v", name, value, got, want)
				}
			}
		})
	}
}

// TestLargeNumbers checks that numbers mean the same to a program of 32 bits.
func TestLargeNumbers(t *testing.T) {
	const large, tooLarge = "3000000000", "9223372036854775808"
	if v := envValues["GO_TEST_TIMEOUT_SCALE"]; !v.takes(large) || v.takes(tooLarge) {
		t.Errorf("GO_TEST_TIMEOUT_SCALE takes %s: %v, %s: %v", large, v.takes(large), tooLarge, v.takes(tooLarge))
	}
	if passedOver("GOMAXPROCS", large) == "" || passedOver("GO_TEST_TIMEOUT_SCALE", "-"+large) == "" {
		t.Error("Go takes notice of values that it passes over")
	}
}

// TestPortWords checks that the rule takes every port of the installed Go.
func TestPortWords(t *testing.T) {
	list, ok := goCommand(t, nil, "tool", "dist", "list")
	if !ok {
		t.Skip(list)
	}
	for port := range strings.FieldsSeq(list) {
		goos, goarch, _ := strings.Cut(port, "/")
		if !envValues["GOOS"].takes(goos) || !envValues["GOARCH"].takes(goarch) || !envValues["GOHOSTARCH"].takes(goarch) {
			t.Errorf("%s is refused", port)
		}
	}
}

// goroot returns a file of the installed Go's source.
func goroot(t *testing.T, file string) []byte {
	t.Helper()
	root, ok := goCommand(t, nil, "env", "GOROOT")
	if !ok {
		t.Skip(root)
	}
	text, err := os.ReadFile(filepath.Join(root, "src", file))
	if err != nil {
		t.Skip(err)
	}
	return text
}

// TestExperimentsOfGo checks that every experiment of the installed Go is
// known.
func TestExperimentsOfGo(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "flags.go", goroot(t, "internal/goexperiment/flags.go"), 0)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	ast.Inspect(file, func(n ast.Node) bool {
		s, ok := n.(*ast.StructType)
		if !ok {
			return true
		}
		for _, f := range s.Fields.List {
			for _, name := range f.Names {
				found++
				if !slices.Contains(experiments, strings.ToLower(name.Name)) {
					t.Errorf("the experiment %s is not known", name.Name)
				}
			}
		}
		return true
	})
	if found < 10 {
		t.Errorf("%d experiments found", found)
	}
}

// TestKnownVarsOfGo checks that no variable which Go's own tools read is taken
// for a slip of the finger.
func TestKnownVarsOfGo(t *testing.T) {
	_, text, _ := bytes.Cut(goroot(t, "internal/cfg/cfg.go"), []byte("const KnownEnv = `"))
	text, _, _ = bytes.Cut(text, []byte("`"))
	names := strings.Fields(string(text))
	if len(names) < 50 {
		t.Errorf("%d variables of the go command found", len(names))
	}
	for _, file := range []string{"build.go", "main.go", "test.go", "buildtool.go", "buildruntime.go", "util.go"} {
		for rest := string(goroot(t, "cmd/dist/"+file)); ; {
			_, after, ok := strings.Cut(rest, "os.Getenv(")
			if !ok {
				break
			}
			if quoted, err := strconv.QuotedPrefix(after); err == nil {
				name, _ := strconv.Unquote(quoted)
				names = append(names, name)
			}
			rest = after
		}
	}
	for _, name := range names {
		if name == strings.ToUpper(name) && !knownVar(name) {
			t.Errorf("the variable %s is not known", name)
		}
	}
}

// TestOneOff checks what counts as one letter off.
func TestOneOff(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{"GOARCH", "GOARCH", false},
		{"GOARC", "GOARCH", true},
		{"GOARCHS", "GOARCH", true},
		{"GORACH", "GOARCH", true},
		{"GOERCH", "GOARCH", true},
		{"OGARCH", "GOARCH", true},
		{"GOAHRC", "GOARCH", false},
		{"GARC", "GOARCH", false},
		{"", "G", true},
		{"G", "", true},
		{"", "", false},
		{"GOMIPS64", "GOMIPS", false},
	} {
		if got := oneOff(test.a, test.b); got != test.want {
			t.Errorf("oneOff(%q, %q) = %v", test.a, test.b, got)
		}
	}
}
