package buildlet

import (
	"strconv"
	"strings"
)

// ExitState is how a command ended, in the words of the trailer Process-State
// (build protocol, section 3.7): "ok", "exit status 1", "signal: killed", or
// why it could not start.
type ExitState struct{ Text string }

// OK reports whether the command ended well.
func (s ExitState) OK() bool { return s.Text == "ok" }

// Started reports whether the command ran at all.
func (s ExitState) Started() bool {
	return s.OK() || strings.HasPrefix(s.Text, "exit status") || strings.HasPrefix(s.Text, "signal: ")
}

// killedState is the state of a command that got SIGKILL.
const killedState = "signal: killed"

// Code returns the exit code that a shell would give for s: the command's
// own, 128 and the signal's number, 127 where the program is not there, 126
// where it cannot be executed, and 1 for what cannot be told.
func (s ExitState) Code() int {
	if s.OK() {
		return 0
	}
	if text, ok := strings.CutPrefix(s.Text, "exit status "); ok {
		text, _, _ = strings.Cut(text, " ") // (core dumped)
		// Windows gives large codes in hexadecimal.
		if n, err := strconv.ParseUint(text, 0, 32); err == nil && n != 0 {
			return int(n)
		}
		return 1
	}
	if text, ok := strings.CutPrefix(s.Text, "signal: "); ok {
		text, _, _ = strings.Cut(text, " (") // core dumped, no output for too long, or out of memory
		if n, ok := signalNumber[text]; ok {
			return 128 + n
		}
		if n, err := strconv.Atoi(strings.TrimPrefix(text, "signal ")); err == nil && n > 0 && n < 128 {
			return 128 + n
		}
		return 128
	}
	for _, missing := range []string{"no such file", "not found", "does not exist", "cannot find"} {
		if strings.Contains(s.Text, missing) {
			return 127
		}
	}
	for _, unfit := range []string{"permission denied", "exec format error"} {
		if strings.Contains(s.Text, unfit) {
			return 126
		}
	}
	return 1
}

// signalNumber has the numbers that are the same on every Unix, by Go's text.
var signalNumber = map[string]int{
	"hangup":                   1,
	"interrupt":                2,
	"quit":                     3,
	"illegal instruction":      4,
	"trace/breakpoint trap":    5,
	"aborted":                  6,
	"abort trap":               6,
	"floating point exception": 8,
	"killed":                   9,
	"segmentation fault":       11,
	"broken pipe":              13,
	"alarm clock":              14,
	"terminated":               15,
}
