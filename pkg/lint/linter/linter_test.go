package linter

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gobuild/pkg/hint"
	"gobuild/pkg/lint"
)

const bad = `package dashboard

var Hosts = map[string]*HostConfig{
	"host-linux-amd64": {VMImage: "image"},
}

func init() {
	addBuilder(BuildConfig{Name: "linux-386", HostType: "host-linux-amd64"})
}

var Builders = map[string]*BuildConfig{}

func addBuilder(b BuildConfig) { Builders[b.Name] = &b }

type HostConfig struct {
	HostArch, VMImage, ContainerImage string
	IsReverse                         bool
	env                               []string
}

type BuildConfig struct {
	Name, HostType string
	env            []string
}
`

// write writes a file below dir and returns its name.
func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// found returns the rules of the findings in a file.
func found(t *testing.T, opts Options, file string) []string {
	t.Helper()
	l, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	list, err := l.Lint(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	var rules []string
	for _, f := range list {
		rules = append(rules, f.Rule+" "+string(f.Severity))
	}
	return rules
}

func TestSeverities(t *testing.T) {
	dir := t.TempDir()
	file := write(t, dir, "a/b/builders.go", bad)
	check := func(opts Options, want ...string) {
		t.Helper()
		if got := found(t, opts, file); !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
	check(Options{}, "builder-arch error")
	write(t, dir, "a/"+lint.ConfigFile, "rules: {builder-arch: info}\n")
	check(Options{}, "builder-arch info")
	named := write(t, dir, "named.yaml", "rules: {builder-arch: warning}\n")
	check(Options{Config: named}, "builder-arch warning")
	check(Options{Config: named, Disable: []string{"builder-arch"}})
	write(t, dir, "a/b/"+lint.ConfigFile, "rules: {builder-arch: off}\n")
	check(Options{})
	if _, err := New(Options{Disable: []string{"builder-ach"}}); err == nil || !strings.Contains(hint.Of(err), "builder-arch?") {
		t.Errorf("%v (%s)", err, hint.Of(err))
	}
}

func TestStdin(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"builders.go", bad, "builder-arch"},
		{"main.star", "BUILDER_TYPES = [\"linux-amd64\", \"linux-amd64\"]\n", "duplicate"},
	} {
		got := found(t, Options{Stdin: strings.NewReader(test.text), StdinName: test.name}, "-")
		if !slices.ContainsFunc(got, func(f string) bool { return strings.Contains(f, test.want) }) {
			t.Errorf("%s: %q", test.name, got)
		}
	}
	l, err := New(Options{Stdin: strings.NewReader(strings.Repeat("x", lint.MaxFile+1)), StdinName: "builders.go"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Lint(t.Context(), "-"); err == nil || !strings.Contains(err.Error(), "standard input is longer than") {
		t.Errorf("%v", err)
	}
}

func TestAgainst(t *testing.T) {
	dir := t.TempDir()
	reverse := strings.Replace(bad, `{VMImage: "image"}`, `{IsReverse: true}`, 1)
	old := write(t, dir, "old.go", reverse)
	file := write(t, dir, "builders.go", bad)
	if got := found(t, Options{Against: old}, file); !slices.ContainsFunc(got, func(f string) bool { return strings.HasPrefix(f, "against-") }) {
		t.Errorf("%q", got)
	}
	if got := found(t, Options{Against: file}, file); !slices.Equal(got, []string{"builder-arch error"}) {
		t.Errorf("against itself: %q", got)
	}
	for against, want := range map[string]string{
		"nosuch": "there is no such file, and git", "--output=x": "neither a file nor a revision", dir: "there is no such file",
	} {
		l, err := New(Options{Against: against})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.Lint(t.Context(), file); err == nil || !strings.Contains(err.Error(), want) || hint.Of(err) == "" {
			t.Errorf("%s: %v (%s)", against, err, hint.Of(err))
		}
	}
	t.Setenv("PATH", "")
	l, err := New(Options{Against: "HEAD"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Lint(t.Context(), file); err == nil || !strings.Contains(err.Error(), "not in PATH") {
		t.Errorf("without git: %v", err)
	}
}
