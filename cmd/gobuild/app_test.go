package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"gobuild/pkg/hint"
)

// testApp returns an app without environment whose output goes to the two
// buffers.
func testApp() (a *app, stdout, stderr *bytes.Buffer) {
	stdout, stderr = new(bytes.Buffer), new(bytes.Buffer)
	return &app{
		stdin:      strings.NewReader(""),
		stdout:     stdout,
		stderr:     stderr,
		lookupEnv:  func(string) (string, bool) { return "", false },
		isTerminal: func(any) bool { return false },
	}, stdout, stderr
}

// testTree returns the command tree of a testApp.
func testTree() *cobra.Command {
	a, _, _ := testApp()
	return newRootCommand(a)
}

// walk calls visit for cmd and everything below it.
func walk(cmd *cobra.Command, visit func(*cobra.Command)) {
	visit(cmd)
	for _, sub := range cmd.Commands() {
		walk(sub, visit)
	}
}

func TestTree(t *testing.T) {
	walk(testTree(), func(cmd *cobra.Command) {
		t.Run(cmd.CommandPath(), func(t *testing.T) {
			for _, field := range []struct{ name, text string }{
				{"Short", cmd.Short}, {"Long", cmd.Long}, {"Example", cmd.Example},
			} {
				if field.text == "" {
					t.Errorf("no %s text", field.name)
				}
			}
			if strings.HasSuffix(cmd.Short, ".") {
				t.Error("the Short text ends with a period")
			}
			if cmd.Run != nil {
				t.Error("has Run instead of RunE")
			}
		})
	})
}

func TestReport(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, tt := range []struct {
		name     string
		ctx      context.Context
		starting bool // the command's own code has not begun
		err      error
		code     int
		stderr   string
	}{
		{"none", t.Context(), false, nil, 0, ""},
		{"plain", t.Context(), false, io.EOF, 1, "error: EOF\n"},
		{"hint", t.Context(), false, hint.With(io.EOF, "try again"), 1, "error: EOF\nhint: try again\n"},
		{"lines", t.Context(), false, hint.With(fmt.Errorf("a\nb"), "c\nd"), 1, "error: a\n       b\nhint: c\n      d\n"},
		{"before running", t.Context(), true, io.EOF, 2, "error: EOF\nhint: see tool --help\n"},
		{"usage", t.Context(), false, usageErrorf("no %s", "such"), 2, "error: no such\nhint: see tool --help\n"},
		{"usage with hint", t.Context(), false, hint.With(usageErrorf("bad"), "good"), 2, "error: bad\nhint: good\n      see tool --help\n"},
		{"silent code", t.Context(), false, &exitError{code: 42}, 42, ""},
		{"code", t.Context(), false, fmt.Errorf("run: %w", &exitError{code: 42, err: io.EOF}), 42, "error: run: EOF\n"},
		{"code 2 of its own", t.Context(), false, &exitError{code: 2, err: io.EOF}, 2, "error: EOF\n"},
		{"interrupted", cancelled, false, fmt.Errorf("get: %w", context.Canceled), 1, "error: interrupted\n"},
		{"interrupted, but failed otherwise", cancelled, false, io.EOF, 1, "error: EOF\n"},
		{"control characters", t.Context(), false, fmt.Errorf("said \x1b[2J\a"), 1, "error: said ?[2J?\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, stdout, stderr := testApp()
			a.running = !tt.starting
			cmd := &cobra.Command{Use: "tool"}
			cmd.SetContext(tt.ctx)
			if code := a.report(cmd, tt.err); code != tt.code {
				t.Errorf("exit code %d, want %d", code, tt.code)
			}
			if got := stderr.String(); got != tt.stderr {
				t.Errorf("stderr %q, want %q", got, tt.stderr)
			}
			if stdout.Len() > 0 {
				t.Errorf("stdout %q, want nothing", stdout)
			}
		})
	}
}

func TestColoured(t *testing.T) {
	for _, tt := range []struct {
		name     string
		terminal bool
		noColor  bool
		env      map[string]string
		want     bool
	}{
		{"terminal", true, false, nil, true},
		{"no terminal", false, false, nil, false},
		{"--no-color", true, true, nil, false},
		{"NO_COLOR", true, false, map[string]string{"NO_COLOR": "1"}, false},
		{"NO_COLOR empty", true, false, map[string]string{"NO_COLOR": ""}, true},
		{"dumb", true, false, map[string]string{"TERM": "dumb"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, _, stderr := testApp()
			a.noColor = tt.noColor
			a.isTerminal = func(any) bool { return tt.terminal }
			a.lookupEnv = func(name string) (string, bool) {
				value, ok := tt.env[name]
				return value, ok
			}
			a.report(&cobra.Command{}, io.EOF)
			if got := strings.Contains(stderr.String(), "\x1b["); got != tt.want {
				t.Errorf("coloured = %v, want %v: %q", got, tt.want, stderr)
			}
		})
	}
}

func TestLogger(t *testing.T) {
	for _, verbose := range []bool{false, true} {
		a, _, stderr := testApp()
		a.verbose = verbose
		log := a.logger()
		log.Debug("fine", slog.String("host", "h 1"))
		log.Info("coarse")
		out := stderr.String()
		if got := strings.Contains(out, `level=DEBUG msg=fine host="h 1"`); got != verbose {
			t.Errorf("verbose %v: debug line there: %v\n%s", verbose, got, out)
		}
		if !strings.Contains(out, "level=INFO msg=coarse\n") {
			t.Errorf("verbose %v: no info line:\n%s", verbose, out)
		}
	}
}
