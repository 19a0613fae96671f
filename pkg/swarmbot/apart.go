package swarmbot

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gobuild/pkg/account"
	"gobuild/pkg/hint"
	"gobuild/pkg/machinetoken"
	"gobuild/pkg/supervise"
)

// Apart is a token daemon, in this process, and a bot that another process
// runs as a user who cannot read the key: a "gobuild run-bot" whose standard
// input gets the daemon's reports, see ReadTokenReports. When one of the two
// processes ends, so does the other.
type Apart struct {
	// Tokend is the token daemon. Its Report is Apart's to set.
	Tokend *machinetoken.Daemon
	// User is the name of the bot's user.
	User string
	// Program and Args are the command that runs the bot.
	Program string
	Args    []string
	// WorkDir is the bot's work directory; empty means .swarming in the home
	// directory of the user.
	WorkDir string
	// StopWait is how long the command may take to end when it is asked to.
	StopWait time.Duration
	// Stdout and Stderr are the command's.
	Stdout, Stderr io.Writer
	Getenv         func(string) string
	Environ        []string // of this process
	Log            *slog.Logger
}

// reportWait bounds the writing of a report. One that is lost is made up for
// by the next.
const reportWait = time.Second

// Run runs both until the command ends, and returns its exit code. When ctx
// ends, the command is asked to end. The error is for what kept it from being
// started. Second, if not nil, gets a function that kills the bot at once.
func (a Apart) Run(ctx context.Context, second func(kill func())) (code int, err error) {
	who, err := a.account()
	if err != nil {
		return 0, err
	}
	if a.WorkDir == "" {
		a.WorkDir = filepath.Join(who.Home, ".swarming")
	}
	if err := a.Tokend.Lock(ctx); err != nil || ctx.Err() != nil {
		return 0, err
	}
	theirs, ours, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer theirs.Close()
	defer ours.Close()
	a.Tokend.Report = func(r machinetoken.Result) {
		line, err := json.Marshal(NewTokenReport(r))
		if err != nil || len(line) >= maxReport {
			return
		}
		ours.SetWriteDeadline(time.Now().Add(reportWait))
		ours.Write(append(line, '\n'))
	}
	// The token is kept fresh until the bot has finished its task.
	loop, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- a.Tokend.Run(loop) }()
	defer func() {
		stop()
		err = errors.Join(err, <-ended)
	}()
	s := supervise.New(supervise.Options{
		Name: "run-bot of " + a.User,
		Mark: a.mark(),
		Prepare: func(context.Context) (*exec.Cmd, error) {
			cmd := exec.Command(a.Program, a.Args...)
			cmd.Dir = "/" // this process's may be closed to that user
			cmd.Env = a.environ(who)
			cmd.Stdin, cmd.Stdout, cmd.Stderr = theirs, a.Stdout, a.Stderr
			who.Run(cmd)
			return cmd, nil
		},
		Started: func(int) func() {
			theirs.Close() // the command has it; so the pipe ends with either
			return func() {}
		},
		Left: a.left,
		Judge: func(exit supervise.Exit) supervise.Verdict {
			if code = exitCode(exit.Err); code == 0 {
				return supervise.Verdict{Why: "it ended"}
			}
			return supervise.Verdict{Why: exit.Err.Error(), Failed: code < 0}
		},
		StopWait: a.StopWait + 30*time.Second, // it has to kill its bot in that time
		Getenv:   a.Getenv,
		Log:      a.Log,
	})
	if second != nil {
		second(s.Kill)
	}
	err = s.RunOnce(ctx)
	return max(code, 0), err
}

// exitCode returns the code of a command that has ended; -1 if it was killed.
func exitCode(err error) int {
	if err == nil {
		return 0
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode()
	}
	return -1
}

// mark marks the processes of the command, like Bot.mark.
func (a Apart) mark() string {
	sum := sha256.Sum256([]byte(a.Tokend.TokenFile + "\n" + a.WorkDir))
	return "GOBUILD_RUN_BOT_APART=" + hex.EncodeToString(sum[:12])
}

// left returns the command that an earlier Apart has left, which was killed:
// it is finishing its task.
func (a Apart) left() int {
	lock := lockFile(a.WorkDir)
	if !supervise.Locked(lock) {
		return 0
	}
	return supervise.LockHolder(lock)
}

// account finds the bot's user, and makes sure that privileges are apart: that
// user can read the token and cannot read the key, nor put a link in the way of
// what the token daemon writes.
func (a Apart) account() (account.Account, error) {
	who, err := account.LookUpOrdinary(a.User, "the bot and every task that it is given")
	switch {
	case errors.Is(err, account.ErrNone):
		return who, hint.With(fmt.Errorf("--user %s: %w", a.User, err),
			"run gobuild tokend as a service of its own, and run-bot as the bot's user without --with-tokend")
	case err != nil:
		return who, err
	}
	d := a.Tokend
	if why, ok := who.Reads(d.KeyFile); ok {
		return who, hint.With(fmt.Errorf("user %s can read the private key %s: %s", a.User, d.KeyFile, why),
			"every task of the bot could take it away; chown root %s; chmod 600 %[1]s", d.KeyFile)
	}
	for _, file := range append([]string{d.TokenFile, d.StatusFile}, d.Copies...) {
		dir := filepath.Dir(file)
		info, err := os.Stat(dir)
		switch {
		case file == "":
		case err != nil:
			return who, hint.With(err, "the directory has to be there: install -d -m 755 %s", dir)
		case who.Replaces(file) != "" || who.Owns(info) || who.May(info, 2):
			return who, hint.With(fmt.Errorf("user %s can write in %s, where root is to write %s", a.User, dir, filepath.Base(file)),
				"a task of the bot could put a link there: give the directory to root, mode 755")
		}
	}
	if dir := who.Closed(d.TokenFile); dir != "" {
		return who, hint.With(fmt.Errorf("user %s cannot get at the token file %s: %s is closed", a.User, d.TokenFile, dir), "chmod 755 %s", dir)
	}
	return who, nil
}

// environ returns the environment of the command: one of the bot's user, and
// without the name of the key.
func (a Apart) environ(who account.Account) []string {
	return slices.DeleteFunc(who.Environ(a.Environ), func(entry string) bool {
		_, value, _ := strings.Cut(entry, "=")
		return a.Tokend.KeyFile != "" && strings.Contains(value, a.Tokend.KeyFile)
	})
}
