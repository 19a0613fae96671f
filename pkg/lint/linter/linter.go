// Package linter lints files: it tells by a file's name which rules are for it,
// and applies them with the severities that its directory asks for.
package linter

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gobuild/pkg/buildconfig"
	"gobuild/pkg/hint"
	"gobuild/pkg/lint"
	"gobuild/pkg/lint/builders"
	"gobuild/pkg/lint/star"
)

// Options say how files are linted.
type Options struct {
	// Disable are rules that are not applied.
	Disable []string
	// Config is the file with the severities of rules; empty means the
	// lint.ConfigFile beside a linted file or above it, if there is one.
	Config string
	// Against is what a builders.go is compared with: a file, or a revision
	// that git knows in the directory of the linted file. Empty for nothing.
	Against string
	// Stdin is read for the name "-", and StdinName the name that it is taken
	// to have: it decides what kind of file it is and which module it lies in.
	Stdin     io.Reader
	StdinName string
}

// Linter lints files. It is for one goroutine at a time.
type Linter struct {
	opts Options
	// Texts are the files that were linted.
	Texts map[string][]byte
}

// New returns a Linter. Rules that there are not are an error, with the nearest
// one as hint.
func New(opts Options) (*Linter, error) {
	known := Known()
	for _, rule := range opts.Disable {
		if !slices.Contains(known, rule) {
			err := fmt.Errorf("there is no rule %q", rule)
			if near := hint.Nearest(rule, known); near != "" {
				return nil, hint.With(err, "did you mean %s?", near)
			}
			return nil, hint.With(err, "gobuild lint --list-rules shows them")
		}
	}
	return &Linter{opts: opts, Texts: map[string][]byte{}}, nil
}

// Docs returns the documentation of all rules, sorted by name.
func Docs() []lint.Doc {
	list := append(builders.Docs(), star.Docs()...)
	lint.SortDocs(list)
	return slices.CompactFunc(list, func(a, b lint.Doc) bool { return a.ID == b.ID })
}

// Known returns the names of all rules, sorted.
func Known() []string { return lint.Names(Docs()) }

// Doc returns the documentation of a rule; unknown rules are an error, with the
// nearest one as hint.
func Doc(rule string) (lint.Doc, error) {
	for _, d := range Docs() {
		if d.ID == rule {
			return d, nil
		}
	}
	err := fmt.Errorf("there is no rule %q", rule)
	if near := hint.Nearest(rule, Known()); near != "" {
		return lint.Doc{}, hint.With(err, "did you mean %s?", near)
	}
	return lint.Doc{}, hint.With(err, "gobuild lint --list-rules shows them")
}

// Read returns the text of a file, and the name that it goes by. It does not
// wait for what never ends, such as a device.
func (l *Linter) Read(name string) (shown string, text []byte, err error) {
	if name != "-" {
		text, err = lint.ReadFile(name)
		return name, text, err
	}
	text, err = lint.Read(l.opts.Stdin, "standard input")
	return l.opts.StdinName, text, err
}

// isStar reports whether a file is one of LUCI's definitions.
func isStar(name string) bool { return strings.HasSuffix(name, ".star") }

// Lint lints a file and returns its findings, sorted. The error says that it
// could not be read.
func (l *Linter) Lint(ctx context.Context, name string) ([]lint.Finding, error) {
	name, text, err := l.Read(name)
	if err != nil {
		return nil, err
	}
	l.Texts[name] = text
	severity, err := l.severities(name)
	if err != nil {
		return nil, err
	}
	r := lint.NewReporter(severity)
	if isStar(name) {
		err = l.lintStar(name, text, r)
	} else {
		err = l.lintBuilders(ctx, name, text, r)
	}
	if err != nil {
		return nil, err
	}
	lint.Sort(r.Findings)
	return r.Findings, nil
}

func (l *Linter) lintStar(name string, text []byte, r *lint.Reporter) error {
	if l.opts.Against != "" {
		return errors.New("--against is for a builders.go")
	}
	src, err := star.Read(name, text)
	if err != nil {
		return err
	}
	star.Check(src, r)
	lint.Ignore(r, star.Comments(src), Known())
	return nil
}

func (l *Linter) lintBuilders(ctx context.Context, name string, text []byte, r *lint.Reporter) error {
	src, err := buildconfig.ReadSource(name, text)
	if err != nil {
		return err
	}
	builders.Check(src, r)
	if l.opts.Against != "" {
		old, err := l.old(ctx, name)
		if err != nil {
			return fmt.Errorf("--against %s: %w", l.opts.Against, err)
		}
		builders.CheckChange(src, old, r)
	}
	lint.Ignore(r, builders.Comments(src), Known())
	return nil
}

// severities returns those that differ from the rules' own for a file.
func (l *Linter) severities(name string) (map[string]lint.Severity, error) {
	file := l.opts.Config
	if file == "" {
		file = lint.FindConfig(name)
	}
	severity := map[string]lint.Severity{}
	if file != "" {
		c, err := lint.ReadConfig(file, Known())
		if err != nil {
			return nil, err
		}
		for rule, s := range c.Rules {
			severity[rule] = s
		}
	}
	for _, rule := range l.opts.Disable {
		severity[rule] = lint.Off
	}
	return severity, nil
}

// gitPatience bounds the call of git.
const gitPatience = 30 * time.Second

// old reads the version that a builders.go is compared with. What it uses of
// its module is taken from the version that is there now.
func (l *Linter) old(ctx context.Context, name string) (*buildconfig.Source, error) {
	if info, err := os.Stat(l.opts.Against); err == nil && !info.IsDir() {
		text, err := lint.ReadFile(l.opts.Against)
		if err != nil {
			return nil, err
		}
		return buildconfig.ReadSource(l.opts.Against, text)
	}
	if strings.HasPrefix(l.opts.Against, "-") {
		return nil, hint.With(errors.New("that is neither a file nor a revision"), "give a file, or a revision such as HEAD~1 or origin/master")
	}
	ctx, cancel := context.WithTimeoutCause(ctx, gitPatience, fmt.Errorf("git did not answer within %s", gitPatience))
	defer cancel()
	object := l.opts.Against + ":./" + filepath.Base(name)
	if strings.Contains(l.opts.Against, ":") {
		object = l.opts.Against // with the path that the file had then
	}
	cmd := exec.CommandContext(ctx, "git", "show", object)
	cmd.Dir = filepath.Dir(name)
	cmd.WaitDelay = time.Second
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	text, err := cmd.Output()
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case errors.Is(err, exec.ErrNotFound):
		return nil, hint.With(errors.New("there is no such file, and git, which would know a revision, is not in PATH"), "give a file with the old version")
	case err != nil:
		said, _, _ := strings.Cut(strings.TrimSpace(stderr.String()), "\n")
		return nil, hint.With(fmt.Errorf("there is no such file, and git says: %s", said), "give a file, or a revision such as HEAD~1 or origin/master; REV:PATH if the file was called otherwise")
	}
	return buildconfig.ReadSource(name, text)
}
