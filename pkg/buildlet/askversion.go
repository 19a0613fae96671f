package buildlet

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"gobuild/pkg/hint"
)

// versionWait bounds the question which version a program is.
const versionWait = 30 * time.Second

// AskVersion asks a program which version of a buildlet it is. Gobuild's has a
// line "gobuild VERSION", which is returned; of another's, the first line is,
// and other is true. A program that is no buildlet is an error.
func AskVersion(ctx context.Context, file string, env []string) (version string, other bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, versionWait)
	defer cancel()
	cmd := exec.CommandContext(ctx, file, "-version")
	cmd.Env, cmd.WaitDelay = env, time.Second
	out, err := cmd.Output()
	if err != nil {
		return "", false, hint.With(fmt.Errorf("%s -version: %w", file, err), "is it a buildlet, and for this machine's system?")
	}
	for line := range bytes.Lines(out) {
		line := string(bytes.TrimSpace(line))
		if strings.HasPrefix(line, "gobuild ") {
			return line, false, nil
		}
		if version == "" {
			version = line
		}
	}
	if !strings.HasPrefix(version, "buildlet ") {
		return "", false, hint.With(fmt.Errorf("%s is no buildlet: as its version it says %.100q", file, version), "give another file")
	}
	return version, true, nil
}
