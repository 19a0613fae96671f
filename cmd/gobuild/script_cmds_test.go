//go:build !plan9

package main

import (
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// scriptPatience bounds the waits of a script.
const scriptPatience = 30 * time.Second

// scriptCmds are the commands that the scripts have besides testscript's own.
var scriptCmds = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	"await":       scriptAwait,
	"code":        scriptCode,
	"get":         scriptGet,
	"github":      scriptGitHub,
	"post":        scriptPost,
	"tokenserver": scriptTokend,
}

// scriptAwait is "await FILE REGEXP [VARIABLE]": it waits until the file
// matches, and puts the last match's first group into the variable.
func scriptAwait(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: await FILE REGEXP [VARIABLE]")
	}
	re := regexp.MustCompile(`(?m)` + args[1])
	var text []byte
	for deadline := time.Now().Add(scriptPatience); ; time.Sleep(5 * time.Millisecond) {
		text, _ = os.ReadFile(ts.MkAbs(args[0]))
		if all := re.FindAllSubmatch(text, -1); all != nil {
			if len(args) == 3 {
				ts.Setenv(args[2], string(all[len(all)-1][1]))
			}
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s does not match %q within %s:\n%s", args[0], args[1], scriptPatience, text)
		}
	}
}

// scriptCode is "code N PROGRAM [ARGUMENT...]": it runs a program, which has
// to end with exit code N.
func scriptCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N PROGRAM [ARGUMENT...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	code := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		code = exit.ExitCode()
	}
	if code != want {
		ts.Fatalf("exit code %d, want %d", code, want)
	}
}

// scriptPost is "post URL": it sends an empty POST, which has to succeed.
func scriptPost(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: post URL")
	}
	client := &http.Client{Timeout: scriptPatience, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Post(args[0], "", nil)
	ts.Check(err)
	defer resp.Body.Close()
	if text, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		ts.Fatalf("POST %s: %s: %s (%v)", args[0], resp.Status, text, err)
	}
}

// scriptGet is "get URL FILE": it writes what a GET brings, which has to
// succeed, into the file.
func scriptGet(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: get URL FILE")
	}
	client := &http.Client{Timeout: scriptPatience, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(args[0])
	ts.Check(err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		ts.Fatalf("GET %s: %s: %s (%v)", args[0], resp.Status, text, err)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), text, 0o600))
}
