//go:build !plan9

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gobuild/pkg/supervise/unit"
)

// serviceCommands returns the command lines of gobuild that stand in a unit
// file, without the program. None of the samples has white space in a word.
func serviceCommands(text string) (lines [][]string) {
	command := regexp.MustCompile(`gobuild(?:\.exe"?)?[ \t]+((?:run-bot|tokend|buildlet|coordinator)\b.*)`)
	element := regexp.MustCompile(`<string>([^<]*)</string>`)
	// launchd has a line for each word.
	text = regexp.MustCompile(`(?s)<array>.*?</array>`).ReplaceAllStringFunc(text, func(array string) string {
		var words []string
		for _, match := range element.FindAllStringSubmatch(array, -1) {
			words = append(words, match[1])
		}
		return strings.Join(words, " ")
	})
	for line := range strings.Lines(text) {
		match := command.FindStringSubmatch(line)
		if match == nil || strings.HasPrefix(strings.TrimSpace(line), "#") {
			continue
		}
		var words []string
		for _, word := range strings.Fields(match[1]) {
			if word == "&" || word == "|" || strings.HasPrefix(word, ">") {
				break
			}
			words = append(words, strings.Trim(word, `'"`))
		}
		lines = append(lines, words)
	}
	return lines
}

// checkServiceCommand has the real command read its line, up to where it would
// begin to run.
func checkServiceCommand(t *testing.T, words []string) {
	t.Helper()
	a, _, stderr := testApp()
	root := newRootCommand(a)
	var given map[string]bool
	walk(root, func(cmd *cobra.Command) {
		cmd.RunE = func(cmd *cobra.Command, _ []string) error {
			given = map[string]bool{"": true}
			cmd.Flags().Visit(func(flag *pflag.Flag) { given[flag.Name] = true })
			return nil
		}
	})
	if i := slices.Index(words, "--config"); i >= 0 { // it lies on that machine
		words = slices.Replace(slices.Clone(words), i+1, i+2, os.DevNull)
	}
	root.SetArgs(words)
	if err := root.Execute(); err != nil || given == nil {
		t.Errorf("gobuild %s: %v\n%s", strings.Join(words, " "), err, stderr)
	}
	has := func(names []string) bool {
		return slices.ContainsFunc(names, func(name string) bool { return given[name] })
	}
	if words[0] == serviceRunBot && has(farmOnly) && (has(luciOnly) || !given["host-type"]) {
		t.Errorf("gobuild %s: for a farm, or for LUCI?", strings.Join(words, " "))
	}
}

// Each command line in a unit file is one that its command takes: those of the
// examples, and those of a farm's worker.
func TestServiceCommandLines(t *testing.T) {
	found := map[string]int{} // by the directory of the init system
	top := filepath.Join("..", "..", "examples")
	err := filepath.WalkDir(top, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, words := range serviceCommands(string(text)) {
			rel, _ := filepath.Rel(filepath.Join(top, "service"), path)
			system, _, _ := strings.Cut(filepath.ToSlash(rel), "/")
			found[system]++
			checkServiceCommand(t, words)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, system := range unit.Inits() {
		if found[string(system)] != 3 { // run-bot of either kind and tokend
			t.Errorf("examples/service/%s has %d command lines", system, found[string(system)])
		}
		args := []string{"service", "print", "--config", os.DevNull, "--init", string(system), "--exec", unit.DefaultProgram(system),
			"--host-type", "host-linux-riscv64", "--coordinator", "https://farm.example", "--hostname", "lichee", "--health-addr", "localhost:8081",
			"--stop-wait", "1h", "--key-file", "/etc/gobuild/builder.key", "--ca-file", "/etc/gobuild/ca.pem"}
		if system == unit.Windows {
			args[len(args)-3], args[len(args)-1] = `C:\gobuild\builder.key`, `C:\gobuild\ca.pem`
		}
		a, stdout, stderr := testApp()
		root := newRootCommand(a)
		root.SetArgs(append(args, "--", "--min-free-disk=5GiB"))
		root.SetOut(&bytes.Buffer{})
		if err := root.Execute(); err != nil {
			t.Errorf("%s: %v\n%s", system, err, stderr)
			continue
		}
		lines := serviceCommands(stdout.String())
		if len(lines) != 1 || !slices.Contains(lines[0], "--host-type=host-linux-riscv64") || !slices.Contains(lines[0], "--min-free-disk=5GiB") {
			t.Errorf("%s: command lines %q in\n%s", system, lines, stdout)
			continue
		}
		checkServiceCommand(t, lines[0])
	}
}

// How long a service has to end hangs on what it runs: a bot finishes its task,
// a buildlet ends what runs.
func TestServiceStopWait(t *testing.T) {
	farm := []string{"--host-type", "host-linux-riscv64", "--coordinator", "https://farm.example", "--key-file", "/etc/gobuild/builder.key"}
	bot := []string{"--hostname", "linux-riscv64-gopher"}
	for _, tt := range []struct {
		args    []string
		seconds int
		given   string
	}{
		{farm, 60, ""},
		{bot, 630, ""},
		{append([]string{"--stop-wait=1h"}, farm...), 3630, " --stop-wait=1h0m0s "},
		{append([]string{"--stop-wait=10m"}, farm...), 630, " --stop-wait=10m0s "},
	} {
		a, stdout, stderr := testApp()
		root := newRootCommand(a)
		root.SetArgs(append([]string{"service", "print", "--config", os.DevNull, "--init", "systemd", "--exec", "/usr/bin/gobuild"}, tt.args...))
		root.SetOut(&bytes.Buffer{})
		if err := root.Execute(); err != nil {
			t.Errorf("%q: %v\n%s", tt.args, err, stderr)
			continue
		}
		text := stdout.String()
		if !strings.Contains(text, fmt.Sprintf("\nTimeoutStopSec=%ds\n", tt.seconds)) || strings.Contains(text, "--stop-wait") != (tt.given != "") || !strings.Contains(text, tt.given) {
			t.Errorf("%q:\n%s", tt.args, text)
		}
	}
}
