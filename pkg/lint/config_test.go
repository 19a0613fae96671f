package lint

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gobuild/pkg/hint"
)

func TestReadConfig(t *testing.T) {
	known := []string{"env-form", "host-kind", "host-unused"}
	for _, test := range []struct {
		name, text string
		want       map[string]Severity
		err, hint  string // parts of them
	}{
		{name: "empty"},
		{name: "only a comment", text: "# nothing yet\n"},
		{name: "no rules", text: "rules:\n"},
		{
			name: "severities", text: "rules:\n  host-kind: info\n  env-form: off\n  host-unused: error\n",
			want: map[string]Severity{"host-kind": Info, "env-form": Off, "host-unused": Error},
		},
		{name: "quoted", text: "rules: {\"host-kind\": \"warning\"}\n", want: map[string]Severity{"host-kind": Warning}},
		{name: "unknown rule", text: "rules:\n  host-kinds: off\n", err: `no rule "host-kinds"`, hint: "host-kind"},
		{name: "unknown rule near none", text: "rules:\n  spelling: off\n", err: `no rule "spelling"`},
		{name: "bad severity", text: "rules:\n  host-kind: fatal\n", err: `"fatal" is no severity`, hint: "error, warning, info or off"},
		{name: "empty severity", text: "rules:\n  host-kind:\n", err: `"" is no severity`},
		{name: "capitals", text: "rules:\n  host-kind: Error\n", err: `"Error" is no severity`},
		{name: "unknown key", text: "rule:\n  host-kind: off\n", err: "rule", hint: "rules:"},
		{name: "a list", text: "- host-kind\n", err: ConfigFile, hint: "rules:"},
		{name: "twice", text: "rules:\n  host-kind: off\n  host-kind: info\n", err: "host-kind"},
		{name: "no YAML", text: "rules: {host-kind\n", err: ConfigFile},
	} {
		t.Run(test.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), ConfigFile)
			if err := os.WriteFile(file, []byte(test.text), 0o644); err != nil {
				t.Fatal(err)
			}
			c, err := ReadConfig(file, known)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) || !strings.Contains(hint.Of(err), test.hint) {
					t.Errorf("error %v, hint %q, want %q and %q", err, hint.Of(err), test.err, test.hint)
				}
				if err != nil && strings.Contains(err.Error(), "\n") {
					t.Errorf("the error has several lines: %q", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if len(c.Rules) != len(test.want) {
				t.Errorf("%v, want %v", c.Rules, test.want)
			}
			for rule, want := range test.want {
				if c.Rules[rule] != want {
					t.Errorf("%s is %q, want %q", rule, c.Rules[rule], want)
				}
			}
		})
	}
	if _, err := ReadConfig(filepath.Join(t.TempDir(), ConfigFile), known); err == nil {
		t.Error("a missing file is no error")
	}
}

func TestFindConfig(t *testing.T) {
	dir := t.TempDir()
	below := filepath.Join(dir, "a", "b")
	if err := os.MkdirAll(below, 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(below, "builders.go")
	if got := FindConfig(file); got != "" {
		t.Skipf("there is a %s above the tests", got)
	}
	// A directory of that name is none.
	if err := os.Mkdir(filepath.Join(below, ConfigFile), 0o755); err != nil {
		t.Fatal(err)
	}
	above := filepath.Join(dir, ConfigFile)
	if err := os.WriteFile(above, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if got := FindConfig(file); got != above {
		t.Errorf("%q, want %q", got, above)
	}
	beside := filepath.Join(dir, "a", ConfigFile)
	if err := os.WriteFile(beside, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if got := FindConfig(file); got != beside {
		t.Errorf("the nearest is %q, want %q", got, beside)
	}
}
