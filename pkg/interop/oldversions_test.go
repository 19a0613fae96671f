package interop

import (
	"encoding/json"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gobuild/pkg/buildconfig"
	"gobuild/pkg/lint"
)

// oldVersions are versions of golang.org/x/build with forms of builders.go that
// the pinned one no longer has.
var oldVersions = []string{
	"v0.0.0-20190111050920-041ab4dc3f9d",
	"v0.0.0-20190626175840-54405f243e45",
	"v0.0.0-20191031202223-0706ea4fce0c",
	"v0.0.0-20200616162219-07bebbe343e9",
}

// TestOldVersions reads old versions of the real builders.go: all host types,
// builder types and their environments are what the compiled package has, and
// what lint finds at severity error is in testdata/old_findings.txt.
func TestOldVersions(t *testing.T) {
	var found []string
	for _, version := range oldVersions {
		from := downloaded(t, upstreamBuild, version)
		src, err := buildconfig.ReadSource(filepath.Join(from, "dashboard", "builders.go"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(src.Syntax) > 0 || len(src.Panics) > 0 || src.Stopped != "" {
			t.Errorf("%s: syntax %v, panics %v, stopped %q", version, src.Syntax, src.Panics, src.Stopped)
		}
		if src.HostsOpen != "" || src.BuildersOpen != "" || src.AliasesOpen != "" {
			t.Errorf("%s: open: hosts %q, builders %q, aliases %q", version, src.HostsOpen, src.BuildersOpen, src.AliasesOpen)
		}
		program := runOld(t, from)
		if n := len(program.Builders); n < 80 {
			t.Errorf("%s: the program sees %d builder types", version, n)
		}
		if diff := cmp.Diff(program.Hosts, src.HostTypes()); diff != "" {
			t.Errorf("%s: host types (-program +read):\n%s", version, diff)
		}
		if diff := cmp.Diff(slices.Sorted(maps.Keys(program.Builders)), src.BuilderNames()); diff != "" {
			t.Errorf("%s: builder types (-program +read):\n%s", version, diff)
		}
		for _, b := range src.Builders {
			host, _ := b.String("HostType")
			env, all := src.Environ(b)
			settings := map[string]string{}
			for _, v := range env {
				settings[v.Name] = v.Value
			}
			have := oldBuilder{host, settings}
			if diff := cmp.Diff(program.Builders[b.Key], have); diff != "" || !all {
				t.Errorf("%s: %s, environment known: %t (-program +read):\n%s", version, b.Key, all, diff)
			}
		}
		for _, f := range lintFile(t, src.Name) {
			if f.Severity == lint.Error {
				found = append(found, version+" "+lines([]lint.Finding{f})[0])
			}
		}
	}
	compareJudged(t, "old_findings.txt", found)
}

// downloaded returns the directory of a module at a version.
func downloaded(t *testing.T, module, version string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", module+"@"+version)
	cmd.Dir = t.TempDir() // outside of this module, whose go.sum does not have it
	out, err := cmd.Output()
	var answer struct{ Dir, Error string }
	if jsonErr := json.Unmarshal(out, &answer); err != nil || jsonErr != nil || answer.Dir == "" {
		t.Fatalf("go mod download %s@%s: %v %s", module, version, err, answer.Error)
	}
	return answer.Dir
}

// oldConfig is what a program that imports an old package sees.
type oldConfig struct {
	Hosts    []string // sorted
	Builders map[string]oldBuilder
}

// oldBuilder is a builder type in an oldConfig. Of several settings of a
// variable Env has the last, the one that counts: for long tests a coordinator
// sets GO_TEST_SHORT by itself now, and first.
type oldBuilder struct {
	HostType string
	Env      map[string]string
}

// runOld compiles the package dashboard of an old version and asks it. Of what
// it imports, buildenv would want much of Google's cloud; a program that starts
// no machines needs only the names in it.
func runOld(t *testing.T, from string) oldConfig {
	t.Helper()
	dir := copyModule(t, from, "dashboard", "types", "maintner/maintnerd/maintapi/version")
	for file, text := range map[string]string{
		"go.mod":               "module golang.org/x/build\n",
		"buildenv/buildenv.go": "package buildenv\n\ntype Environment struct{ ProjectName, BuildletBucket string }\n\nvar Production Environment\n",
		"sees/main.go":         oldSeesProgram,
	} {
		write(t, filepath.Join(dir, filepath.FromSlash(file)), text)
	}
	cmd := exec.CommandContext(t.Context(), "go", "run", "./sees")
	cmd.Dir = dir
	cmd.Env = append(cleanEnv(), "GOFLAGS=", "GOWORK=off")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go run: %v\n%s", err, &stderr)
	}
	var c oldConfig
	if err := json.Unmarshal(out, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

const oldSeesProgram = `package main

import (
	"encoding/json"
	"os"
	"sort"
	"strings"

	"golang.org/x/build/dashboard"
)

type builder struct {
	HostType string
	Env      map[string]string
}

func main() {
	var hosts []string
	for name := range dashboard.Hosts {
		hosts = append(hosts, name)
	}
	sort.Strings(hosts)
	builders := map[string]builder{}
	for name, b := range dashboard.Builders {
		env := map[string]string{}
		for _, kv := range b.Env() {
			setting := strings.SplitN(kv, "=", 2)
			env[setting[0]] = setting[1]
		}
		builders[name] = builder{b.HostType, env}
	}
	json.NewEncoder(os.Stdout).Encode(map[string]interface{}{"Hosts": hosts, "Builders": builders})
}
`
