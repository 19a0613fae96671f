package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"gobuild/pkg/hint"
	"gobuild/pkg/plain"
)

// errNoAnswer is returned where a person ended the questions.
var errNoAnswer = errors.New("no answer; nothing was changed")

// prompter asks a person at a terminal. It is for one goroutine.
type prompter struct {
	readLine func(prompt string) (string, error)
	stderr   io.Writer // for when the terminal is as it was
	out      io.Writer
	restore  func()
	// unanswered is set if the cursor stands behind a question.
	unanswered bool
}

// prompter returns what asks the person at stdin and stderr, or nil if one of
// them is no terminal: then nobody may be asked. The caller closes it.
func (a *app) prompter() *prompter {
	if !a.isTerminal(a.stdin) || !a.isTerminal(a.stderr) {
		return nil
	}
	in, ok := a.stdin.(*os.File)
	if !ok {
		return nil
	}
	state, err := term.MakeRaw(int(in.Fd()))
	if err != nil {
		// Plan 9's console has no raw mode, but it edits lines itself.
		lines := bufio.NewReader(in)
		return &prompter{stderr: a.stderr, out: a.stderr, restore: func() {}, readLine: func(prompt string) (string, error) {
			fmt.Fprint(a.stderr, prompt)
			line, err := lines.ReadString('\n')
			return strings.TrimRight(line, "\r\n"), err
		}}
	}
	terminal := term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{in, a.stderr}, "")
	if width, height, err := term.GetSize(int(in.Fd())); err == nil && width > 0 {
		terminal.SetSize(width, height)
	}
	return &prompter{
		stderr:  a.stderr,
		out:     terminal,
		restore: func() { term.Restore(int(in.Fd()), state) },
		readLine: func(prompt string) (string, error) {
			terminal.SetPrompt(prompt)
			return terminal.ReadLine()
		},
	}
}

// close gives the terminal back as it was.
func (p *prompter) close() {
	p.restore()
	if p.unanswered {
		fmt.Fprintln(p.stderr)
	}
}

// ask asks until check passes the answer. An empty answer means def. The end
// of the input, which Ctrl-C and Ctrl-D are, is errNoAnswer; so is the end of
// ctx.
func (p *prompter) ask(ctx context.Context, question, def string, check func(string) error) (string, error) {
	prompt := question + ": "
	if def != "" {
		prompt = question + " [" + def + "]: "
	}
	for {
		answer, err := p.read(ctx, prompt)
		if err != nil {
			return "", err
		}
		if answer = strings.TrimSpace(answer); answer == "" {
			answer = def
		}
		if err := check(answer); err != nil {
			fmt.Fprintln(p.out, "  "+plain.Text(err.Error()))
			if advice := hint.Of(err); advice != "" {
				fmt.Fprintln(p.out, "  "+plain.Text(advice))
			}
			continue
		}
		return answer, nil
	}
}

// confirm asks for yes or no; an empty answer means yes.
func (p *prompter) confirm(ctx context.Context, question string) (bool, error) {
	answer, err := p.ask(ctx, question, "yes", func(answer string) error {
		switch strings.ToLower(answer) {
		case "y", "yes", "n", "no":
			return nil
		}
		return errors.New("please answer yes or no")
	})
	return strings.HasPrefix(strings.ToLower(answer), "y"), err
}

// read reads a line, which cannot be called off; the goroutine that waits for
// it ends with the program.
func (p *prompter) read(ctx context.Context, prompt string) (string, error) {
	type result struct {
		line string
		err  error
	}
	done := make(chan result, 1)
	go func() {
		line, err := p.readLine(prompt)
		done <- result{line, err}
	}()
	select {
	case <-ctx.Done():
		p.unanswered = true
		return "", errNoAnswer
	case r := <-done:
		if errors.Is(r.err, io.EOF) {
			p.unanswered = true
			return "", errNoAnswer
		}
		return r.line, r.err
	}
}
