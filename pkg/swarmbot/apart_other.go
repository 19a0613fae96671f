//go:build !unix

package swarmbot

import (
	"errors"
	"os/exec"
	"runtime"

	"gobuild/pkg/hint"
)

// account says that a command cannot be run as another user here.
func (a Apart) account() (account, error) {
	return account{}, hint.With(errors.New("on "+runtime.GOOS+" the bot cannot be started as another user"),
		"run gobuild tokend as a service of its own, and run-bot as the bot's user without --with-tokend")
}

func (account) takes(*exec.Cmd) {}
