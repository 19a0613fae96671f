package doctor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"gobuild/pkg/account"
)

// commandWait bounds a program that a check asks.
const commandWait = 10 * time.Second

// maxOutput bounds what is kept of what a program prints, in bytes.
const maxOutput = 1 << 20

// output runs a program and returns what it printed, trimmed. The error has
// the last line that the program complained with.
func output(ctx context.Context, argv ...string) (string, error) {
	return outputAs(ctx, nil, argv...)
}

// errNoAnswer says that a program did not end in time.
var errNoAnswer = errors.New("no answer")

// outputAs runs a program as another user, which only root may; nil means as
// the user that this is. What the program has started ends with it.
func outputAs(ctx context.Context, as *account.Account, argv ...string) (string, error) {
	start := time.Now()
	ctx, cancel := context.WithTimeout(ctx, commandWait)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.WaitDelay = time.Second // for one that is gone but left its output open
	stdout, stderr := &headBuffer{}, &headBuffer{}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	err := ownGroup(cmd, as)
	if err == nil {
		err = cmd.Run()
	}
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil
	}
	name := filepath.Base(argv[0])
	switch {
	case err != nil && ctx.Err() != nil:
		return "", fmt.Errorf("%s gave %w within %s", name, errNoAnswer, time.Since(start).Round(100*time.Millisecond))
	case err != nil:
		if line := lastLine(stderr.String()); line != "" {
			return "", fmt.Errorf("%s: %w: %s", name, err, line)
		}
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return strings.TrimSpace(stdout.String()), nil
}

// lastLine returns the last line of text that is not blank.
func lastLine(text string) string {
	text = strings.TrimSpace(text)
	return strings.TrimSpace(text[strings.LastIndex(text, "\n")+1:])
}

// headBuffer keeps the first maxOutput bytes that are written to it. It has no
// more methods of a bytes.Buffer, whose ReadFrom would keep everything.
type headBuffer struct{ head bytes.Buffer }

// Write never fails, so that a talkative program goes on.
func (b *headBuffer) Write(p []byte) (int, error) {
	b.head.Write(p[:min(len(p), max(0, maxOutput-b.head.Len()))])
	return len(p), nil
}

func (b *headBuffer) String() string { return b.head.String() }
