//go:build !unix

package account

import (
	"io/fs"
	"os/exec"
)

const supported = false

// Run does nothing here: there is no Account.
func (Account) Run(*exec.Cmd) {}

// Owns reports false here.
func (Account) Owns(fs.FileInfo) bool { return false }

// May reports false here.
func (Account) May(fs.FileInfo, fs.FileMode) bool { return false }

// Closed returns "" here.
func (Account) Closed(string) string { return "" }

// Replaces returns "" here.
func (Account) Replaces(string) string { return "" }

// Changes returns "" here.
func (Account) Changes(string) string { return "" }

// Reads reports false here.
func (Account) Reads(string) (string, bool) { return "", false }

// Become returns ErrNone here.
func (Account) Become() error { return ErrNone }
