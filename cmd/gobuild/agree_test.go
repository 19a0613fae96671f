package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestGenerated checks that man/ and completions/ are what the command tree
// gives.
func TestGenerated(t *testing.T) {
	pages, err := manPages(testTree())
	if err != nil {
		t.Fatal(err)
	}
	compareDir(t, "man", pages)

	scripts := map[string][]byte{}
	for name, shell := range map[string]string{
		"gobuild.bash": "bash",
		"_gobuild":     "zsh",
		"gobuild.fish": "fish",
		"gobuild.ps1":  "powershell",
	} {
		a, stdout, _ := testApp()
		root := newRootCommand(a)
		root.SetArgs([]string{"completion", shell})
		if err := root.Execute(); err != nil {
			t.Fatal(err)
		}
		scripts[name] = stdout.Bytes()
	}
	compareDir(t, "completions", scripts)
}

// compareDir checks that a directory of the repository holds exactly the
// wanted files.
func compareDir(t *testing.T, dir string, want map[string][]byte) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join("..", "..", dir))
	if err != nil {
		t.Fatalf("%v (run make docs)", err)
	}
	for _, entry := range entries {
		if want[entry.Name()] == nil {
			t.Errorf("%s/%s is left over (run make docs)", dir, entry.Name())
		}
	}
	for name, content := range want {
		got, err := os.ReadFile(filepath.Join("..", "..", dir, name))
		if err != nil {
			t.Errorf("%v (run make docs)", err)
		} else if !bytes.Equal(got, content) {
			t.Errorf("%s/%s is out of date (run make docs)", dir, name)
		}
	}
}

// TestReadme checks that the commands in README.md's code blocks are there,
// with their flags and as many arguments, and that it lists every
// configuration key.
func TestReadme(t *testing.T) {
	readme := readRepoFile(t, "README.md")
	for _, key := range configKeys {
		if row := "| `" + key.name + "` | `" + envName(key.name) + "` |"; !strings.Contains(readme, row) {
			t.Errorf("README.md: no row %q in the table of settings", row)
		}
	}
	commands := blockCommands(readme)
	if len(commands) == 0 {
		t.Error("README.md: no command in any code block")
	}
	for _, args := range commands {
		checkCommand(t, "README.md", args)
	}
}

// TestExampleTexts checks the examples of every command's help text likewise.
func TestExampleTexts(t *testing.T) {
	walk(testTree(), func(cmd *cobra.Command) {
		found := false
		for line := range strings.Lines(cmd.Example) {
			if args := gobuildArgs(line); args != nil {
				found = true
				checkCommand(t, cmd.CommandPath(), args)
			}
		}
		if !found {
			t.Errorf("%s: the example does not call gobuild", cmd.CommandPath())
		}
	})
}

// TestExamples checks that what examples/ calls is there, and that the
// configuration file in it shows every key and can be read.
func TestExamples(t *testing.T) {
	config := readRepoFile(t, "examples/config.yaml")
	// Every setting is commented out: what stands behind "#" and no blank.
	shown := regexp.MustCompile(`(?m)^#([a-z])`).ReplaceAllString(config, "$1")
	lines, problems := checkConfig("examples/config.yaml", []byte(shown))
	for _, err := range problems {
		t.Error(err)
	}
	for _, key := range configKeyNames() {
		if lines[key] == 0 {
			t.Errorf("examples/config.yaml does not show %s", key)
		}
	}

	units, err := filepath.Glob(filepath.Join("..", "..", "examples", "*.service"))
	if err != nil || len(units) == 0 {
		t.Fatalf("no units in examples: %v", err)
	}
	for _, unit := range units {
		text := readRepoFile(t, filepath.Join("examples", filepath.Base(unit)))
		for line := range strings.Lines(text) {
			if command, ok := strings.CutPrefix(line, "ExecStart="); ok {
				command = strings.TrimPrefix(command, "/usr/local/bin/")
				checkCommand(t, unit, gobuildArgs(command))
			}
		}
	}
}

func readRepoFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// blockCommands returns the arguments of each call of gobuild in the fenced
// code blocks of a Markdown text.
func blockCommands(text string) [][]string {
	var commands [][]string
	inBlock := false
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "```") {
			inBlock = !inBlock
			continue
		}
		if args := gobuildArgs(line); inBlock && args != nil {
			commands = append(commands, args)
		}
	}
	return commands
}

// gobuildArgs returns the arguments of a command line that calls gobuild, in
// one of the ways in which the documentation does; nil if line is none. The
// arguments end at a redirection, a pipe or a comment.
func gobuildArgs(line string) []string {
	words := shellWords(strings.TrimPrefix(strings.TrimSpace(line), "$ "))
	switch {
	case len(words) > 0 && (words[0] == "gobuild" || words[0] == "./gobuild"):
		words = words[1:]
	case len(words) > 2 && words[0] == "go" && words[1] == "run" && words[2] == "./cmd/gobuild":
		words = words[3:]
	default:
		return nil
	}
	end := slices.IndexFunc(words, func(word string) bool {
		return strings.HasPrefix(word, "#") || strings.ContainsAny(word[:1], "<>|&;")
	})
	if end >= 0 {
		words = words[:end]
	}
	return append([]string{}, words...)
}

// shellWords splits a line where a shell would; of quoting it knows the double
// quotes around a word.
func shellWords(line string) []string {
	words := regexp.MustCompile(`"[^"]*"|\S+`).FindAllString(line, -1)
	for i, word := range words {
		if len(word) > 2 {
			words[i] = strings.Trim(word, `"`)
		}
	}
	return words
}

// checkCommand checks that the tree has a command with these flags and this
// many arguments.
func checkCommand(t *testing.T, where string, args []string) {
	t.Helper()
	root := testTree()
	line := "gobuild " + strings.Join(args, " ")
	cmd, rest, err := root.Find(oneDash(root, args))
	if err != nil {
		t.Errorf("%s: %s: %v", where, line, err)
		return
	}
	if err := cmd.ParseFlags(rest); err != nil {
		t.Errorf("%s: %s: %v", where, line, err)
		return
	}
	if isGroup(cmd) && cmd.Flags().NArg() > 0 {
		t.Errorf("%s: %s: %s has no command %s", where, line, cmd.CommandPath(), cmd.Flags().Arg(0))
		return
	}
	if err := cmd.ValidateArgs(cmd.Flags().Args()); err != nil {
		t.Errorf("%s: %s: %v", where, line, err)
	}
}

// No command is there twice: cobra would show both.
func TestCommandNamesAreUnique(t *testing.T) {
	seen := map[string]bool{}
	for _, cmd := range newRootCommand(&app{}).Commands() {
		if seen[cmd.Name()] {
			t.Errorf("command %s is there twice", cmd.Name())
		}
		seen[cmd.Name()] = true
	}
}
