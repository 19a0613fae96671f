package unit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"gobuild/pkg/hint"
)

// steps runs commands one after the other.
func (in *Installer) steps(ctx context.Context, p Plan, steps []Step) error {
	for _, s := range steps {
		in.say("run %s", showCommand(s.Argv))
		if in.DryRun {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, p.Service.StopWait+3*time.Minute)
		_, err := run(ctx, s.Argv)
		cancel()
		switch {
		case err == nil:
		case s.Optional && !errors.Is(err, exec.ErrNotFound):
			if !s.Quiet {
				in.say("%v; that may be all right", err)
			}
		default:
			return hint.With(err, "%s", adviceFor(p, err))
		}
	}
	return nil
}

func adviceFor(p Plan, err error) string {
	if errors.Is(err, exec.ErrNotFound) {
		return fmt.Sprintf("this machine seems not to run %s: name what it runs with --init. --dest DIR writes files alone", p.Init)
	}
	if os.Geteuid() > 0 {
		return "mostly only root may do that: call it with sudo. What is done already is left as it is"
	}
	return "see to what it says, then run the same command again: what is done already is left as it is"
}

// maxOutput bounds how much of a command's output an error shows, in bytes.
const maxOutput = 4000

// run runs a command and returns its output. The error says which command, how
// it ended, and what it printed.
func run(ctx context.Context, argv []string) (string, error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.WaitDelay = 10 * time.Second // a daemon that it starts may keep the pipe
	cmd.Env = append(os.Environ(), "LC_ALL=C", "SYSTEMD_PAGER=", "SYSTEMD_COLORS=0")
	out, err := cmd.CombinedOutput()
	text := strings.TrimSpace(string(out))
	if err == nil || errors.Is(err, exec.ErrWaitDelay) {
		return text, nil
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	shown := text
	if len(shown) > maxOutput {
		shown = "..." + shown[len(shown)-maxOutput:]
	}
	if shown == "" {
		return text, fmt.Errorf("%s: %w", showCommand(argv), err)
	}
	return text, fmt.Errorf("%s: %w:\n%s", showCommand(argv), err, shown)
}

// found reports whether there is a program.
func found(program string) bool {
	_, err := exec.LookPath(program)
	return err == nil
}

// showCommand writes a command as a person would.
func showCommand(argv []string) string {
	words := make([]string, len(argv))
	for i, word := range argv {
		words[i] = word
		if word == "" || strings.ContainsAny(word, " '\"$\\") {
			words[i] = quoteShell(word)
		}
	}
	return strings.Join(words, " ")
}

// Status asks the init system how the service is, and returns it in a line.
// The error says that it does not run, as far as the init system tells.
func (in *Installer) Status(ctx context.Context, p Plan) (string, error) {
	if err := in.allowed(p); err != nil {
		return "", err
	}
	path := in.place(p.Files[0].Path)
	if _, err := os.Stat(path); err != nil {
		return "", hint.With(fmt.Errorf("%s is not installed for %s: %w", p.Service.Name, p.Init, err), "install it with: gobuild service install --init %s --name %s", p.Init, p.Service.Name)
	}
	if in.Dest != "" || len(p.Status.Argv) == 0 {
		return "installed", nil
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	text, err := run(ctx, p.Status.Argv)
	line := pick(text, p.Status.Pick)
	if line != "" && err != nil && !errors.Is(err, exec.ErrNotFound) {
		return line, fmt.Errorf("%s does not run: %s", p.Service.Name, line)
	}
	if err != nil {
		return "", hint.With(err, "%s", adviceFor(p, err))
	}
	return line, nil
}

// pick joins the lines of text that begin with one of the wanted words, all if
// none is wanted.
func pick(text string, wanted []string) string {
	var lines []string
	for line := range strings.Lines(text) {
		line = strings.Join(strings.Fields(line), " ")
		keep := len(wanted) == 0
		for _, beginning := range wanted {
			keep = keep || strings.HasPrefix(line, beginning)
		}
		if keep && line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, ", ")
}
