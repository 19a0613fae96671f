package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gobuild/pkg/hint"
	"gobuild/pkg/plain"
)

// The exit codes of gobuild. "gobuild gomote run" besides gives back the
// remote command's own code.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// exitError is an error that decides the program's exit code.
type exitError struct {
	code  int
	err   error // nil means that everything has been said: print nothing
	usage bool  // the command line is at fault: point at the command's --help
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// usageErrorf returns an error for a command line that cannot be meant as it
// stands. It ends the program with code 2 and points at the command's --help.
func usageErrorf(format string, args ...any) error {
	return usageError(fmt.Errorf(format, args...))
}

// usageError makes err one of usageErrorf's kind, which it may be already.
func usageError(err error) error {
	if exit, ok := errors.AsType[*exitError](err); ok && exit.usage {
		return err
	}
	return &exitError{code: exitUsage, err: err, usage: true}
}

// report prints err, which came of running cmd, and returns the exit code.
func (a *app) report(cmd *cobra.Command, err error) int {
	if err == nil {
		return exitDone
	}
	exit, ok := errors.AsType[*exitError](err)
	switch {
	case ok:
	case a.running:
		exit = &exitError{code: exitFailed, err: err}
	default:
		// Missing required flags and their like: cobra has no type for them.
		err = inOurWords(err)
		exit = &exitError{code: exitUsage, err: err, usage: true}
	}
	if exit.err == nil {
		return exit.code
	}
	text, advice := err.Error(), hint.Of(err)
	if ctx := cmd.Context(); ctx != nil && ctx.Err() != nil && errors.Is(err, context.Canceled) {
		// Only a signal cancels the program's context.
		text, advice = "interrupted", ""
	}
	if exit.usage {
		advice = strings.TrimPrefix(advice+"\nsee "+cmd.CommandPath()+" --help", "\n")
	}
	a.printError(text, advice)
	return exit.code
}

// printError prints an error's text, and advice if there is any.
func (a *app) printError(text, advice string) {
	p := a.palette(a.stderr)
	printNote(a.stderr, p.bad.Render("error:"), "error:", text)
	if advice != "" {
		printNote(a.stderr, p.note.Render("hint:"), "hint:", advice)
	}
}

// warn prints each warning on stderr: what is done all the same, but should
// be looked at.
func (a *app) warn(warnings ...string) {
	for _, warning := range warnings {
		printNote(a.stderr, a.palette(a.stderr).warn.Render("warning:"), "warning:", warning)
	}
}

// printNote writes text behind a label; further lines of text are indented to
// stand below the first. bare is the label without colour codes.
func printNote(w io.Writer, label, bare, text string) {
	indent := "\n" + strings.Repeat(" ", len(bare)+1)
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for i, line := range lines {
		lines[i] = plain.Text(line)
	}
	fmt.Fprintf(w, "%s %s\n", label, strings.Join(lines, indent))
}

// flagError turns what the flag parser found into a usage error, with the
// nearest flag that cmd has as the hint.
func flagError(cmd *cobra.Command, err error) error {
	missing, ok := errors.AsType[*pflag.NotExistError](err)
	if !ok {
		wrong, ok := errors.AsType[*pflag.InvalidValueError](err)
		if ok && wrong.GetFlag().Value.Type() == "duration" {
			return hint.With(usageError(err), "a time is a number with its unit, as 30s, 10m or 2h")
		}
		return usageError(err)
	}
	name := missing.GetSpecifiedName()
	if group := missing.GetSpecifiedShortnames(); len(group) > 1 {
		// A long flag with one dash that no flag answers to, not a group of
		// letters: say what the person wrote.
		name, _, _ = strings.Cut(group, "=")
		err = fmt.Errorf("unknown flag: -%s", name)
	}
	var known []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			known = append(known, f.Name)
		}
	})
	if near := suggest(name, known); near != "" {
		return hint.With(usageError(err), "did you mean --%s?", near)
	}
	return usageError(err)
}
