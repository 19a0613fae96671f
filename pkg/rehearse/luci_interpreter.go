package rehearse

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"gobuild/pkg/hint"
)

// StandInName is the argument of "gobuild rehearse" that has it call StandIn
// with the arguments behind it.
const StandInName = "bot"

// interpreter runs the rehearsal's bot.
type interpreter struct {
	file  string
	about string // what it is
}

// askPython prints the interpreter itself, which a version manager's script in
// PATH is not, and its version if it can run the bot.
const askPython = `import sys, ssl
print(sys.executable)
print("%d.%d.%d" % sys.version_info[:3] if (3, 7) <= sys.version_info[:2] <= (3, 14) else "unfit")
`

// pythonWait bounds the question.
const pythonWait = 20 * time.Second

// findInterpreter returns python3 if there is one that can run the bot, and
// else a script in dir that has the program play both.
func findInterpreter(ctx context.Context, dir, program string) (interpreter, error) {
	ctx, cancel := context.WithTimeout(ctx, pythonWait)
	defer cancel()
	// In the environment of the person who rehearses: version managers keep
	// their settings in the home directory.
	cmd := exec.CommandContext(ctx, "python3", "-c", askPython)
	cmd.WaitDelay = time.Second
	dieWithParent(cmd)
	out, err := cmd.Output()
	words := strings.Split(strings.ReplaceAll(strings.TrimSpace(string(out)), "\r", ""), "\n")
	if err == nil && len(words) == 2 && words[0] != "" && words[1] != "unfit" {
		return interpreter{words[0], "Python " + words[1] + ", " + words[0]}, nil
	}
	return standIn(dir, program)
}

// standIn returns a script in dir that has the program play Python.
func standIn(dir, program string) (interpreter, error) {
	script := ""
	words := "rehearse " + StandInName + " --"
	switch runtime.GOOS {
	case "windows":
		return interpreter{}, hint.With(errors.New("no Python that can run a bot"), "install Python 3.7 to 3.13 as python3; the real bot needs it as well")
	case "plan9":
		script = fmt.Sprintf("#!/bin/rc\nexec '%s' %s $*\n", strings.ReplaceAll(program, "'", "''"), words)
	default:
		script = fmt.Sprintf("#!/bin/sh\nexec '%s' %s \"$@\"\n", strings.ReplaceAll(program, "'", `'\''`), words)
	}
	file := filepath.Join(dir, "python3")
	if err := os.WriteFile(file, []byte(script), 0o755); err != nil {
		return interpreter{}, err
	}
	return interpreter{file, "no python3 here that can run a bot: gobuild plays Python and the bot by itself"}, nil
}
