package interop

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/build/dashboard"

	"gobuild/pkg/buildconfig"
)

// upstreamBuild is the module with the real builders.go.
const upstreamBuild = "golang.org/x/build"

// moduleDir returns the directory of a module of the build list.
func moduleDir(t testing.TB, module string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		t.Fatalf("go list -m %s: %v", module, err)
	}
	return strings.TrimSpace(string(out))
}

// seen is what reflection sees of a value, in the form of a dump: functions
// are left out, nil slices of lists are empty.
func seen(v reflect.Value) any {
	switch v.Kind() {
	case reflect.String:
		return v.String()
	case reflect.Bool:
		return v.Bool()
	case reflect.Int, reflect.Int64:
		return v.Int()
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return seen(v.Elem())
	case reflect.Slice:
		if v.IsNil() {
			return nil
		}
		list := make([]any, v.Len())
		for i := range list {
			list[i] = seen(v.Index(i))
		}
		return list
	case reflect.Struct:
		fields := map[string]any{}
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if f.Type.Kind() == reflect.Func {
				continue
			}
			fields[smallName(f.Name)] = seen(v.Field(i))
			if f.Type.Kind() == reflect.Slice && v.Field(i).IsNil() && f.Name != "InstallRacePackages" {
				fields[smallName(f.Name)] = []any{}
			}
		}
		return fields
	}
	panic("a field of a kind that a dump does not have: " + v.Kind().String())
}

// smallName is the dump's form of a Go name, made anew here: the words of the
// name, the first in small letters.
func smallName(name string) string {
	for _, word := range []string{"VM", "SSH", "EC2"} {
		if rest, ok := strings.CutPrefix(name, word); ok {
			return strings.ToLower(word) + rest
		}
	}
	return string(unicode.ToLower(rune(name[0]))) + name[1:]
}

// TestDumpIsWhatTheProgramSees compares the dump of the real builders.go,
// entry for entry and field for field, with the package as it is compiled into
// this test.
func TestDumpIsWhatTheProgramSees(t *testing.T) {
	src, err := buildconfig.ReadSource(filepath.Join(moduleDir(t, upstreamBuild), "dashboard", "builders.go"), nil)
	if err != nil {
		t.Fatal(err)
	}
	compareDump(t, src, seenConfig())
	comparePolicies(t, src, func(name, repo, branch, goBranch string) (post, try bool) {
		b := dashboard.Builders[name]
		return b.BuildsRepoPostSubmit(repo, branch, goBranch), b.BuildsRepoTryBot(repo, branch, goBranch)
	})
}

// TestConfigIsThePage compares what a coordinator takes from the real
// builders.go with what it takes from upstream's page /builders?mode=json.
func TestConfigIsThePage(t *testing.T) {
	page, err := json.Marshal(struct{ Builders, Hosts any }{dashboard.Builders, dashboard.Hosts})
	if err != nil {
		t.Fatal(err)
	}
	want, err := buildconfig.Read(bytes.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	src, err := buildconfig.ReadSource(filepath.Join(moduleDir(t, upstreamBuild), "dashboard", "builders.go"), nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := src.Config()
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range got.Builders {
		if diff := cmp.Diff(dashboard.Builders[name].Env(), b.Env()); diff != "" {
			t.Errorf("environment of %s (-program +config):\n%s", name, diff)
		}
		b.FullEnv = nil
	}
	want.Hosts["host-linux-amd64-localdev"].SSHUsername = "" // from the environment
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-page +config):\n%s", diff)
	}
}

// seenConfig is what this program sees of the package.
func seenConfig() map[string]any {
	hosts, builders := map[string]any{}, map[string]any{}
	for name, h := range dashboard.Hosts {
		hosts[name] = seen(reflect.ValueOf(h))
	}
	for name, b := range dashboard.Builders {
		fields := seen(reflect.ValueOf(b)).(map[string]any)
		fields["env"] = b.Env()
		fields["owners"] = seen(reflect.ValueOf(b.HostConfig().Owners))
		if b.HostConfig().Owners == nil {
			fields["owners"] = nil
		}
		builders[name] = fields
	}
	return map[string]any{"hosts": hosts, "builders": builders}
}

// compareDump compares a dump with what a program saw.
func compareDump(t *testing.T, src *buildconfig.Source, want map[string]any) {
	t.Helper()
	if len(src.Panics) > 0 || src.Stopped != "" || len(src.Syntax) > 0 {
		t.Errorf("panics %v, stopped %q, syntax %v", src.Panics, src.Stopped, src.Syntax)
	}
	dump := src.Dump()
	if len(dump.Conditional)+len(dump.Open) > 0 {
		t.Errorf("not known for sure: %v %v", dump.Conditional, dump.Open)
	}
	got := asJSON(t, dump)
	wanted := asJSON(t, want)
	for _, kind := range []string{"hosts", "builders"} {
		g, w := got[kind].(map[string]any), wanted[kind].(map[string]any)
		if diff := cmp.Diff(slices.Sorted(maps.Keys(w)), slices.Sorted(maps.Keys(g))); diff != "" {
			t.Errorf("%s (-program +dump):\n%s", kind, diff)
		}
		for name, fields := range w {
			have, _ := g[name].(map[string]any)
			for field, value := range fields.(map[string]any) {
				if field == "sshUsername" && name == "host-linux-amd64-localdev" {
					value = nil // from the environment
				}
				v, ok := have[field]
				if field == "owners" && value == nil {
					value = v // nil and empty are the same there
				}
				if diff := cmp.Diff(value, v); !ok || diff != "" {
					t.Errorf("%s %s, field %s (there: %t) (-program +dump):\n%s", kind, name, field, ok, diff)
				}
			}
		}
	}
}

func asJSON(t *testing.T, v any) (m map[string]any) {
	t.Helper()
	text, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(text, &m)
	}
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Repositories and branches that policies treat differently.
var (
	policyRepos    = []string{"go", "build", "crypto", "exp", "mobile", "net", "perf", "pkgsite", "review", "sys", "tools", "vuln", "website"}
	policyBranches = [][2]string{{"master", "master"}, {"master", "release-branch.go1.26"}, {"release-branch.go1.26", "release-branch.go1.26"}, {"dev.boringcrypto", "dev.boringcrypto"}, {"release-branch.go1.10", "release-branch.go1.10"}}
)

// comparePolicies asks the policy functions of every builder type.
func comparePolicies(t *testing.T, src *buildconfig.Source, want func(name, repo, branch, goBranch string) (post, try bool)) {
	t.Helper()
	yes := 0
	for _, b := range src.Builders {
		for _, repo := range policyRepos {
			for _, branch := range policyBranches {
				if repo == "go" && branch[0] != branch[1] {
					continue
				}
				post, try := want(b.Key, repo, branch[0], branch[1])
				gotPost, known1 := src.Builds(b, repo, branch[0], branch[1])
				gotTry, known2 := src.Tries(b, repo, branch[0], branch[1])
				if gotPost != post || gotTry != try || !known1 || !known2 {
					t.Errorf("%s, %s at %s: post-submit %t (known: %t), trybot %t (known: %t), the program says %t and %t", b.Key, repo, branch, gotPost, known1, gotTry, known2, post, try)
				}
				if post || try {
					yes++
				}
			}
		}
	}
	t.Logf("%d answers of policies are yes", yes)
}

// TestDumpWithoutSwitches does the same with the switches of the migration
// turned off, in a copy of the module: then 35 more builder types are there
// and the policies are the written ones.
func TestDumpWithoutSwitches(t *testing.T) {
	dir := copyModule(t, moduleDir(t, upstreamBuild))
	file := filepath.Join(dir, "internal", "migration", "migration.go")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	off := strings.NewReplacer(
		"StopLegacyMiscCompileTryBots = true", "StopLegacyMiscCompileTryBots = false",
		"StopPortedBuilder = true", "StopPortedBuilder = false",
		"StopAllLegacyBuilders = true", "StopAllLegacyBuilders = false",
	).Replace(string(text))
	if off == string(text) {
		t.Fatal("the switches are not where they were")
	}
	write(t, file, off)
	write(t, filepath.Join(dir, "cmd", "gobuildsees", "main.go"), strings.ReplaceAll(seesProgram, "POLICIES", policyLiteral()))
	run := exec.CommandContext(t.Context(), "go", "run", "-mod=mod", "./cmd/gobuildsees")
	run.Dir = dir
	run.Env = append(cleanEnv(), "GOFLAGS=", "GOWORK=off")
	out, err := run.Output()
	if err != nil {
		exit, _ := err.(*exec.ExitError)
		t.Fatalf("go run: %v\n%s", err, exit.Stderr)
	}
	var program struct {
		Names    []string
		Env      map[string][]string
		Notes    map[string]string
		Policies map[string][2]bool
	}
	if err := json.Unmarshal(out, &program); err != nil {
		t.Fatal(err)
	}
	src, err := buildconfig.ReadSource(filepath.Join(dir, "dashboard", "builders.go"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(program.Names, src.BuilderNames()); diff != "" || len(program.Names) < 130 {
		t.Errorf("%d builder types (-program +dump):\n%s", len(program.Names), diff)
	}
	dump := asJSON(t, src.Dump())["builders"].(map[string]any)
	for _, name := range program.Names {
		fields := dump[name].(map[string]any)
		env := []any{}
		for _, v := range program.Env[name] {
			env = append(env, v)
		}
		if diff := cmp.Diff(env, fields["env"]); diff != "" || fields["notes"] != program.Notes[name] {
			t.Errorf("%s: notes %q, the program says %q; env (-program +dump):\n%s", name, fields["notes"], program.Notes[name], diff)
		}
	}
	comparePolicies(t, src, func(name, repo, branch, goBranch string) (post, try bool) {
		answer, ok := program.Policies[strings.Join([]string{name, repo, branch, goBranch}, " ")]
		if !ok {
			t.Errorf("the program was not asked about %s, %s at %s", name, repo, branch)
		}
		return answer[0], answer[1]
	})
}

// seesProgram prints what a program that imports the package sees.
const seesProgram = `package main

import (
	"encoding/json"
	"os"
	"sort"
	"strings"

	"golang.org/x/build/dashboard"
)

func main() {
	var out struct {
		Names    []string
		Env      map[string][]string
		Notes    map[string]string
		Policies map[string][2]bool
	}
	out.Env, out.Notes, out.Policies = map[string][]string{}, map[string]string{}, map[string][2]bool{}
	for name, b := range dashboard.Builders {
		out.Names = append(out.Names, name)
		out.Env[name], out.Notes[name] = b.Env(), b.Notes
		for _, q := range [][3]string{POLICIES} {
			key := strings.Join([]string{name, q[0], q[1], q[2]}, " ")
			out.Policies[key] = [2]bool{b.BuildsRepoPostSubmit(q[0], q[1], q[2]), b.BuildsRepoTryBot(q[0], q[1], q[2])}
		}
	}
	sort.Strings(out.Names)
	json.NewEncoder(os.Stdout).Encode(out)
}
`

func policyLiteral() string {
	var b strings.Builder
	for _, repo := range policyRepos {
		for _, branch := range policyBranches {
			if repo != "go" || branch[0] == branch[1] {
				b.WriteString("{\"" + repo + "\", \"" + branch[0] + "\", \"" + branch[1] + "\"},")
			}
		}
	}
	return strings.TrimSuffix(b.String(), ",")
}

// configParts are what the configuration in golang.org/x/build is made of.
var configParts = []string{"go.mod", "go.sum", "dashboard", "internal/migration", "internal/gophers", "maintner/maintnerd/maintapi/version", "types", "buildenv", "gerrit"}

// copyModule copies parts of a module, configParts if none are named, without
// tests, and returns the new directory. Parts that are not there are left out.
func copyModule(t *testing.T, from string, parts ...string) string {
	t.Helper()
	if len(parts) == 0 {
		parts = configParts
	}
	to := t.TempDir()
	for _, part := range parts {
		err := filepath.WalkDir(filepath.Join(from, part), func(path string, d os.DirEntry, err error) error {
			if errors.Is(err, os.ErrNotExist) {
				return nil
			}
			if err != nil || d.IsDir() || strings.HasSuffix(path, "_test.go") {
				return err
			}
			rel, err := filepath.Rel(from, path)
			if err != nil {
				return err
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			write(t, filepath.Join(to, rel), string(text))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return to
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
