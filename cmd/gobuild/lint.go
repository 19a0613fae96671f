package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"gobuild/pkg/atomicfile"
	"gobuild/pkg/buildconfig"
	"gobuild/pkg/hint"
	"gobuild/pkg/lint"
	"gobuild/pkg/lint/linter"
	"gobuild/pkg/version"
)

// lintFlags are the flags of "gobuild lint".
type lintFlags struct {
	fix, listRules, dump, watch bool
	format, explain             string
	options                     linter.Options
}

// lintFormats are the values of --format.
var lintFormats = []string{"text", "json", "sarif", "github"}

// newLintCommand returns "gobuild lint".
func newLintCommand(a *app) *cobra.Command {
	var f lintFlags
	cmd := &cobra.Command{
		Use:     "lint FILE...",
		GroupID: groupMaintainer,
		Short:   "Find what is wrong in a builders.go or main.star",
		Long: `Lint reads the configuration of a farm without compiling or running it and says
what is wrong in it: a builders.go of the coordinator, and the tables of LUCI's
main.star that a builder's owner touches. What such a file computes when the
program starts is evaluated; what cannot be known from its text, such as the
environment, is left open and never reported. If a builders.go lies in its Go
module, what it uses of other packages there is read too.

A finding has a place, a sentence and a rule; --explain tells why the rule is
there, with an example. A comment takes findings of a rule back, for its own
line, or for the next if it stands alone:

  //gobuild:ignore RULE reason

Severities are changed in .gobuild-lint.yaml beside the file or above it, or in
the file that --rules-file names: "rules:", and below it a line RULE: error,
warning, info or off each.

With --against OLD, a file, a revision of git or REV:PATH, it also says what the
change means for machines that are out there. With --fix it mends what can be mended
safely. - reads standard input; with --fix the mended text goes to standard
output.

The exit code is 0 if nothing is found, 1 if something is, and 2 if a file cannot
be read.

With --format json it prints an array of objects: "rule", "severity" (error,
warning, info), "file", "line", "column", "endLine", "endColumn" (from 1, columns
in bytes), "message", "url" and "fix" ("message", and "edits" with "start", "end"
and "new"; null if it has to be mended by hand). --json means the same. With
--list-rules --json it is an array of "rule", "severity", "title", "fix".

With --dump it prints what a builders.go comes to as JSON: "hosts" and
"builders", each by name with their fields and what follows from them, and
"aliases"; null is what cannot be known from this file. "conditional" names
those that may not be there, and what that hangs on.

As go vet's tool it checks the packages that go vet is given:
go vet -vettool=$(which gobuild) ./dashboard. There rules are turned off with
-builders.disable=RULE,... and not by a file, whose changes go vet would not see.`,
		Example: `  gobuild lint builders.go
  gobuild lint --against origin/master dashboard/builders.go
  gobuild lint --format sarif dashboard/builders.go main.star
  gobuild lint --fix builders.go
  gobuild lint --explain builder-arch
  gobuild lint --dump builders.go`,
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case (f.listRules || f.explain != "") && len(args) > 0:
				return errors.New("--list-rules and --explain take no file")
			case !f.listRules && f.explain == "" && len(args) == 0:
				return hint.With(errors.New("which file?"), "name a builders.go or a main.star, or - for standard input")
			case f.dump && len(args) != 1:
				return errors.New("--dump takes one file")
			}
			return nil
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return []string{"go", "star"}, cobra.ShellCompDirectiveFilterFileExt
		},
		RunE: func(cmd *cobra.Command, args []string) error { return a.lint(cmd.Context(), f, args) },
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.fix, "fix", false, "mend what can be mended safely")
	flags.StringVar(&f.format, "format", "text", "`FORMAT`: text, json, sarif (2.1.0) or github (annotations)")
	flags.StringSliceVar(&f.options.Disable, "disable", nil, "`RULE`s not to apply")
	flags.StringVar(&f.options.Config, "rules-file", "", "`FILE` with the severities of rules (default .gobuild-lint.yaml beside the linted file or above)")
	flags.BoolVar(&f.listRules, "list-rules", false, "list the rules")
	flags.StringVar(&f.explain, "explain", "", "explain `RULE`")
	flags.StringVar(&f.options.Against, "against", "", "old version to compare a builders.go with: `REV-OR-FILE`")
	flags.StringVar(&f.options.StdinName, "stdin-name", "builders.go", "`FILE` that standard input is taken for")
	flags.BoolVar(&f.dump, "dump", false, "print what the file comes to, as JSON")
	flags.BoolVar(&f.watch, "watch", false, "go on, and lint again whenever a file changes")
	cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(lintFormats, cobra.ShellCompDirectiveNoFileComp))
	for _, name := range []string{"disable", "explain"} {
		cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(linter.Known(), cobra.ShellCompDirectiveNoFileComp))
	}
	cmd.MarkFlagFilename("rules-file", "yaml", "yml")
	cmd.MarkFlagsMutuallyExclusive("list-rules", "explain", "dump", "fix", "watch")
	return cmd
}

// lintMemory is from where on memory is collected as usual, in bytes.
const lintMemory = 256 << 20

func (a *app) lint(ctx context.Context, f lintFlags, files []string) error {
	// A file is linted within tens of milliseconds and tens of megabytes: until
	// it takes much more, collecting garbage costs more than it is worth.
	debug.SetGCPercent(800)
	debug.SetMemoryLimit(lintMemory)
	switch {
	case f.explain != "":
		return a.explainRule(f.explain)
	case f.listRules:
		return a.listRules()
	case f.dump:
		return a.dumpBuilders(f, files[0])
	case !slices.Contains(lintFormats, f.format):
		return usageErrorf("--format %q: it is %s", f.format, strings.Join(lintFormats, ", "))
	case a.jsonOut:
		f.format = "json"
	}
	f.options.Stdin = a.stdin
	if f.watch {
		return a.watchLint(ctx, f, files)
	}
	_, err := a.lintOnce(ctx, f, files)
	return err
}

// lintOnce lints files, prints what is found, and returns how much that is.
func (a *app) lintOnce(ctx context.Context, f lintFlags, files []string) (found int, err error) {
	l, err := linter.New(f.options)
	if err != nil {
		return 0, usageError(err)
	}
	var findings []lint.Finding
	var unreadable error
	for _, file := range files {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		list, err := l.Lint(ctx, file)
		if err == nil && f.fix {
			list, err = a.lintFix(ctx, l, f, file, list)
		}
		if err != nil {
			unreadable = errors.Join(unreadable, err)
			continue
		}
		findings = append(findings, list...)
	}
	if err := a.printLint(f.format, findings, l.Texts, f.fix && slices.Contains(files, "-")); err != nil {
		return 0, err
	}
	switch {
	case unreadable != nil:
		return len(findings), &exitError{code: exitUsage, err: unreadable}
	case len(findings) > 0:
		return len(findings), &exitError{code: exitFailed}
	}
	return 0, nil
}

// lintFix mends a file and returns what is left to find in it.
func (a *app) lintFix(ctx context.Context, l *linter.Linter, f lintFlags, file string, findings []lint.Finding) ([]lint.Finding, error) {
	name := file
	if file == "-" {
		name = f.options.StdinName
	}
	text, made, err := lint.Apply(name, l.Texts[name], findings)
	if err != nil {
		return nil, fmt.Errorf("mend %s: %w", name, err)
	}
	if file == "-" {
		if _, err := a.stdout.Write(text); err != nil {
			return nil, err
		}
		again := f.options
		again.Stdin = strings.NewReader(string(text))
		rest, err := linter.New(again)
		if err != nil {
			return nil, err
		}
		findings, err = rest.Lint(ctx, "-")
		l.Texts[name] = text
		return findings, err
	}
	if made == 0 {
		return findings, nil
	}
	target, err := filepath.EvalSymlinks(file) // a link stays one
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(target)
	if err != nil {
		return nil, err
	}
	if err := atomicfile.Replace(target, text, info.Mode().Perm()); err != nil {
		return nil, err
	}
	fmt.Fprintf(a.stderr, "%s: mended %s\n", file, count(made, "finding"))
	return l.Lint(ctx, file)
}

// count returns "1 thing" or "N things".
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// printLint prints findings in a format; to stderr if stdout has the
// mended text.
func (a *app) printLint(format string, findings []lint.Finding, texts map[string][]byte, mended bool) error {
	out := a.stdout
	if mended {
		out = a.stderr
	}
	switch format {
	case "json":
		if mended {
			return nil
		}
		return a.printJSON(append([]lint.Finding{}, findings...))
	case "sarif":
		return lint.WriteSARIF(out, version.String(), linter.Docs(), findings, texts)
	case "github":
		return lint.WriteGitHub(out, findings)
	}
	if err := lint.WriteText(out, findings, lint.TextOptions{
		Source: lint.ReadSource(texts), Style: a.lintStyle(out), Explain: "gobuild lint --explain",
		Width: a.lintWidth(out),
	}); err != nil {
		return err
	}
	if len(findings) > 0 {
		fmt.Fprintln(a.stderr, tally(findings))
	}
	return nil
}

// tally counts findings by severity.
func tally(findings []lint.Finding) string {
	var parts []string
	for _, s := range []struct {
		severity lint.Severity
		name     string
	}{{lint.Error, "error"}, {lint.Warning, "warning"}, {lint.Info, "remark"}} {
		n := 0
		for _, f := range findings {
			if f.Severity == s.severity {
				n++
			}
		}
		if n > 0 {
			parts = append(parts, count(n, s.name))
		}
	}
	return strings.Join(parts, ", ")
}

func (a *app) lintStyle(out io.Writer) func(lint.Part, string) string {
	p := a.palette(out)
	return func(part lint.Part, text string) string {
		switch part {
		case lint.PartPlace:
			return p.strong.Render(text)
		case lint.Part(lint.Error):
			return p.bad.Render(text)
		case lint.Part(lint.Warning):
			return p.warn.Render(text)
		case lint.Part(lint.Info):
			return p.note.Render(text)
		case lint.PartCaret:
			return p.good.Render(text)
		case lint.PartRule:
			return p.dim.Render(text)
		}
		return text
	}
}

// lintWidth returns how many columns there are for a line of source: a
// terminal's, so that the mark below stays below; 0 elsewhere.
func (a *app) lintWidth(out io.Writer) int {
	if f, ok := out.(*os.File); ok && a.isTerminal(out) {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil {
			return width
		}
	}
	return 0
}

func (a *app) explainRule(rule string) error {
	d, err := linter.Doc(rule)
	if err != nil {
		return usageError(err)
	}
	_, err = io.WriteString(a.stdout, d.Explain())
	return err
}

func (a *app) listRules() error {
	docs := linter.Docs()
	if a.jsonOut {
		type row struct {
			Rule     string        `json:"rule"`
			Severity lint.Severity `json:"severity"`
			Title    string        `json:"title"`
			Fix      bool          `json:"fix"`
		}
		rows := make([]row, len(docs))
		for i, d := range docs {
			rows[i] = row{d.ID, d.Severity, d.Title, d.Fix}
		}
		return a.printJSON(rows)
	}
	var rows [][]string
	for _, d := range docs {
		fix := ""
		if d.Fix {
			fix = "yes"
		}
		rows = append(rows, []string{d.ID, string(d.Severity), fix, d.Title})
	}
	return a.printTable([]string{"RULE", "SEVERITY", "FIX", "FINDS"}, rows)
}

// dumpBuilders prints what a builders.go comes to.
func (a *app) dumpBuilders(f lintFlags, file string) error {
	f.options.Stdin = a.stdin
	l, err := linter.New(f.options)
	if err != nil {
		return usageError(err)
	}
	name, text, err := l.Read(file)
	if err != nil {
		return &exitError{code: exitUsage, err: err}
	}
	src, err := buildconfig.ReadSource(name, text)
	if err != nil {
		return &exitError{code: exitUsage, err: err}
	}
	if len(src.Syntax) > 0 {
		return &exitError{code: exitUsage, err: src.Syntax}
	}
	return a.printJSON(src.Dump())
}

// watchPause is the pause between two looks at the watched files.
const watchPause = 300 * time.Millisecond

// watchLint lints files again whenever one of them changes, until ctx ends.
func (a *app) watchLint(ctx context.Context, f lintFlags, files []string) error {
	if slices.Contains(files, "-") {
		return usageErrorf("--watch: standard input does not change")
	}
	for last := ""; ; {
		if now := states(files); now != last {
			last = now
			fmt.Fprintf(a.stderr, "-- %s\n", time.Now().Format(time.TimeOnly))
			found, err := a.lintOnce(ctx, f, files)
			exit, ok := errors.AsType[*exitError](err)
			switch {
			case err == nil && found == 0:
				fmt.Fprintln(a.stderr, "nothing found")
			case ok && exit.err != nil && !exit.usage:
				a.printError(exit.err.Error(), hint.Of(exit.err)) // such as a file that is being replaced
			case err != nil && (!ok || exit.usage):
				return err
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(watchPause):
		}
	}
}

// states returns a text that changes when one of the files does.
func states(files []string) string {
	var b strings.Builder
	for _, file := range files {
		if info, err := os.Stat(file); err == nil {
			fmt.Fprintln(&b, file, info.Size(), info.ModTime().UnixNano())
		} else {
			fmt.Fprintln(&b, file, "missing")
		}
	}
	return b.String()
}
