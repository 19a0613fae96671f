package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gobuild/pkg/hint"
)

func TestConfigKeysSorted(t *testing.T) {
	names := configKeyNames()
	if !slices.IsSorted(names) {
		t.Errorf("configKeys are not in order: %q", names)
	}
	if len(slices.Compact(slices.Clone(names))) != len(names) {
		t.Errorf("configKeys holds a name twice: %q", names)
	}
	for _, key := range configKeys {
		if key.help == "" {
			t.Errorf("key %s has no description", key.name)
		}
	}
}

// unboundFlags are the flags with the name of a configuration key that do not
// take its value, with the reason.
var unboundFlags = map[string]string{
	"gobuild buildlet --listen":            "the key is the coordinator's address; both may run on one machine",
	"gobuild buildlet --user":              "it is an account of this machine, not a person at a farm",
	"gobuild keygen show --key-file":       "the key is of one principal, and show may be asked for several",
	"gobuild run-bot --user":               "it is an account of this machine, not a person at a farm",
	"gobuild requests approve --host-type": "it is another machine's host type",
	"gobuild service install --user":       "it is an account of this machine, not a person at a farm",
	"gobuild service print --user":         "the same",
	"gobuild service status --user":        "the same",
	"gobuild service uninstall --user":     "the same",
}

// TestConfigFlags compares keys and flags, both ways, so that neither can be
// forgotten when the other is added.
func TestConfigFlags(t *testing.T) {
	keys := configKeyNames()
	bound := map[string][]string{} // key → flags bound to it
	walk(testTree(), func(cmd *cobra.Command) {
		if cmd.Annotations[noConfigAnnotation] != "" && cmd.HasParent() {
			return // it reads no configuration
		}
		eachOwnFlag(cmd, func(flag *pflag.Flag) {
			where := cmd.CommandPath() + " --" + flag.Name
			key := boundKey(flag)
			if key != "" {
				bound[key] = append(bound[key], where)
			}
			if key == "" && slices.Contains(keys, flag.Name) && unboundFlags[where] == "" {
				t.Errorf("%s has the name of a configuration key, but is not bound to it (see bindConfig)", where)
			}
		})
	})
	for _, key := range keys {
		if len(bound[key]) == 0 {
			t.Errorf("no flag takes its value from configuration key %s", key)
		}
	}
}

// eachOwnFlag calls visit for the flags that cmd itself defines.
func eachOwnFlag(cmd *cobra.Command, visit func(*pflag.Flag)) {
	inherited := cmd.InheritedFlags()
	cmd.Flags().VisitAll(func(flag *pflag.Flag) {
		if inherited.Lookup(flag.Name) == nil && cmd.PersistentFlags().Lookup(flag.Name) == nil {
			visit(flag)
		}
	})
	cmd.PersistentFlags().VisitAll(visit)
}

func TestApplyConfig(t *testing.T) {
	for _, tt := range []struct {
		name string
		args string
		env  map[string]string
		file string
		// What the settings must come to, or the error and its hint.
		coordinator string
		hostType    string
		verbose     bool
		err         string
		hint        string
	}{
		{
			name:        "defaults",
			coordinator: defaultCoordinator, hostType: "none",
		},
		{
			name:        "file",
			file:        "# a comment\ncoordinator: https://file\nhost-type: host-file\nverbose: true\n",
			coordinator: "https://file", hostType: "host-file", verbose: true,
		},
		{
			name:        "environment over file",
			env:         map[string]string{"GOBUILD_COORDINATOR": "https://env", "GOBUILD_HOST_TYPE": "host-env"},
			file:        "coordinator: https://file\nhost-type: host-file\n",
			coordinator: "https://env", hostType: "host-env",
		},
		{
			name:        "flag over environment",
			args:        "--coordinator=https://flag --reverse-type=host-flag -v=false",
			env:         map[string]string{"GOBUILD_COORDINATOR": "https://env", "GOBUILD_HOST_TYPE": "host-env", "GOBUILD_VERBOSE": "true"},
			file:        "coordinator: https://file\n",
			coordinator: "https://flag", hostType: "host-flag",
		},
		{
			name:        "flag with the default's value",
			args:        "--coordinator=" + defaultCoordinator,
			env:         map[string]string{"GOBUILD_COORDINATOR": "https://env"},
			coordinator: defaultCoordinator, hostType: "none",
		},
		{
			name:        "empty variable",
			env:         map[string]string{"GOBUILD_COORDINATOR": ""},
			file:        "coordinator: https://file\n",
			coordinator: "https://file", hostType: "none",
		},
		{
			name:        "empty values, quotes and numbers",
			file:        "coordinator:\nca-file: ~\nhost-type: \"8\"\n",
			coordinator: defaultCoordinator, hostType: "8",
		},
		{
			name:        "nothing but comments",
			file:        "# nothing\n---\n",
			coordinator: defaultCoordinator, hostType: "none",
		},
		{
			name:        "excluded by a flag",
			args:        "--none",
			file:        "host-type: host-file\n",
			coordinator: defaultCoordinator, hostType: "none",
		},
		{
			name: "unknown key",
			file: "coordinator: https://file\ncoordinater: x\n",
			err:  `FILE:2: unknown key "coordinater"`,
			hint: "did you mean coordinator?",
		},
		{
			name: "unknown key, none near",
			file: "frobnicate: x\n",
			err:  `FILE:1: unknown key "frobnicate"`,
			hint: "the keys are " + strings.Join(configKeyNames(), ", "),
		},
		{
			name: "key twice",
			file: "user: a\n\nuser: b\n",
			err:  `FILE:3: key "user" is in line 1 already`,
		},
		{
			name: "nested",
			file: "coordinator:\n  url: https://file\n",
			err:  `FILE:2: the value of "coordinator" has to be a single one`,
		},
		{
			name: "list",
			file: "- coordinator\n",
			err:  "FILE:1: not a table of settings",
			hint: "each line is KEY: VALUE, such as coordinator: https://farm.example:8119",
		},
		{
			name: "broken",
			file: "coordinator: https://file\nuser: 'x\n",
			err:  "FILE:2: found unexpected end of stream",
		},
		{
			name: "bad value in file",
			file: "\nverbose: perhaps\n",
			err:  `FILE:2: verbose: bad value "perhaps": invalid syntax`,
		},
		{
			name: "bad value in environment",
			env:  map[string]string{"GOBUILD_VERBOSE": "perhaps"},
			err:  `GOBUILD_VERBOSE: bad value "perhaps": invalid syntax`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, _, _ := testApp()
			file := filepath.Join(t.TempDir(), "config.yaml")
			if err := os.WriteFile(file, []byte(tt.file), 0o600); err != nil {
				t.Fatal(err)
			}
			a.lookupEnv = func(name string) (string, bool) {
				if name == "GOBUILD_CONFIG" {
					return file, true
				}
				value, ok := tt.env[name]
				return value, ok
			}
			var hostType string
			root := &cobra.Command{Use: "tool", RunE: func(cmd *cobra.Command, _ []string) error { return a.applyConfig(cmd) }}
			addGlobalFlags(root, a)
			root.Flags().StringVar(&hostType, "reverse-type", "none", "")
			bindConfig(root.Flags(), "reverse-type", "host-type")
			root.Flags().Bool("none", false, "")
			root.MarkFlagsMutuallyExclusive("none", "reverse-type")
			root.SetArgs(strings.Fields(tt.args))
			root.SilenceErrors, root.SilenceUsage = true, true

			err := root.Execute()
			if tt.err != "" {
				want := strings.Replace(tt.err, "FILE", file, 1)
				if err == nil || err.Error() != want {
					t.Fatalf("error %v, want %s", err, want)
				}
				if got := hint.Of(err); got != tt.hint {
					t.Errorf("hint %q, want %q", got, tt.hint)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if a.coordinator != tt.coordinator || hostType != tt.hostType || a.verbose != tt.verbose {
				t.Errorf("coordinator %q, host type %q, verbose %v; want %q, %q, %v",
					a.coordinator, hostType, a.verbose, tt.coordinator, tt.hostType, tt.verbose)
			}
		})
	}
}

func TestReadConfig(t *testing.T) {
	dir := t.TempDir()
	write := func(name string) string {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("user: "+name), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	home := write("gobuild/config.yaml")
	flag := write("flag.yaml")
	variable := write("variable.yaml")

	a, _, _ := testApp()
	env := map[string]string{"XDG_CONFIG_HOME": dir}
	a.lookupEnv = func(name string) (string, bool) { return env[name], env[name] != "" }

	check := func(want string) {
		t.Helper()
		if file, _, err := a.readConfig(); err != nil || file != want {
			t.Errorf("readConfig: %s, %v; want %s", file, err, want)
		}
	}
	check(home)
	env["GOBUILD_CONFIG"] = variable
	check(variable)
	a.configFile = flag
	check(flag)

	a.configFile = filepath.Join(dir, "missing.yaml")
	if _, _, err := a.readConfig(); err == nil || !strings.Contains(err.Error(), a.configFile) || hint.Of(err) == "" {
		t.Errorf("missing --config file: %v (hint %q), want an error that names it, with a hint", err, hint.Of(err))
	}
}

func FuzzCheckConfig(f *testing.F) {
	f.Add([]byte("coordinator: https://farm\nca-file: x\n"))
	f.Add([]byte("a: &a [*a]\n"))
	f.Add([]byte("user: x\n---\n- y"))
	f.Add([]byte("user: 0123\nport: 2024-01-01\nlisten: !!binary aGk=\nca-file: ~\n"))
	f.Fuzz(func(t *testing.T, doc []byte) {
		if _, problems := checkConfig("f", doc); len(problems) > 0 {
			return
		}
		// What passes has to be readable.
		if _, err := mergeConfig(doc, nil); err != nil {
			t.Errorf("checkConfig passes %q, but mergeConfig says %v", doc, err)
		}
	})
}

// Whatever a configuration looks like, an edit changes one setting and keeps
// the rest, or refuses.
func FuzzEditConfig(f *testing.F) {
	f.Add([]byte("# c\nuser: joe # who\n\nport: linux-arm"), "jill")
	f.Add([]byte("user: |\n  a\n  b\n"), "x: y")
	f.Add([]byte("{user: a, port: b}"), "#")
	f.Add([]byte("---\n"), "true")
	f.Add([]byte("port: a # b\r\nuser: c # d\r\n"), "jill")
	f.Add([]byte("port: a\nuser: b\r\n"), "jill")
	f.Add([]byte("port: a\ruser: b"), "jill") // line ends of YAML, not of the file
	f.Add([]byte("port: a\u2028user: b"), "jill")
	f.Fuzz(func(t *testing.T, doc []byte, value string) {
		if _, problems := checkConfig("f", doc); len(problems) > 0 || checkWord(value) != nil {
			return
		}
		before, err := mergeConfig(doc, nil)
		if err != nil {
			t.Fatal(err)
		}
		edited, err := editConfig("f", doc, []string{"user"}, map[string]string{"user": value})
		if err != nil {
			return
		}
		after, err := mergeConfig(edited, nil)
		if err != nil {
			t.Fatalf("%q became %q, which cannot be read: %v", doc, edited, err)
		}
		if value != "" || before["user"] != "" {
			before["user"] = value
		}
		if !maps.Equal(before, after) {
			t.Errorf("%q became %q: %v, want %v", doc, edited, after, before)
		}
	})
}
