package machinetoken

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"gobuild/pkg/machinetoken/tokenpb"
)

// The gRPC codes that matter here.
const (
	codeOK                 = 0
	codeCanceled           = 1
	codeUnknown            = 2
	codeInvalidArgument    = 3
	codeDeadlineExceeded   = 4
	codeNotFound           = 5
	codePermissionDenied   = 7
	codeResourceExhausted  = 8
	codeFailedPrecondition = 9
	codeUnimplemented      = 12
	codeInternal           = 13
	codeUnavailable        = 14
	codeUnauthenticated    = 16
)

// codeNames are the names of gRPC's codes, by number.
var codeNames = []string{
	"OK", "Canceled", "Unknown", "InvalidArgument", "DeadlineExceeded", "NotFound",
	"AlreadyExists", "PermissionDenied", "ResourceExhausted", "FailedPrecondition", "Aborted",
	"OutOfRange", "Unimplemented", "Internal", "Unavailable", "DataLoss", "Unauthenticated",
}

// codeName returns name and number of a gRPC code.
func codeName(code int) string {
	if code >= 0 && code < len(codeNames) {
		return fmt.Sprintf("%s (%d)", codeNames[code], code)
	}
	return fmt.Sprintf("gRPC code %d", code)
}

// CallError is a call of the token server that came to nothing (LUCI
// protocol, section 2).
type CallError struct {
	// URL is what was called.
	URL string
	// Code is the gRPC code: the server's own, or the one that its HTTP
	// status or the network's error stands for.
	Code int
	// HTTPStatus is that of the answer; 0 if there was none.
	HTTPStatus int
	// NoCode is set if the answer had no code, so that it is not from a pRPC
	// server.
	NoCode bool
	// Text is what the server says, on one line; it may be empty.
	Text string
	// Attempts is how often the server was asked, and Took how long it took.
	Attempts int
	Took     time.Duration
	// Skew is what the answers told about this machine's clock.
	Skew Skew

	err      error // of the network
	final    bool  // it would fail in the same way again, whatever Code says
	timedOut bool  // the attempts ended because the time was over
}

// Transient reports whether the same call may succeed a little later.
func (e *CallError) Transient() bool {
	switch e.Code {
	case codeUnknown, codeDeadlineExceeded, codeInternal, codeUnavailable:
		return !e.final
	}
	return false
}

// Unwrap returns the error of the network, if it was one.
func (e *CallError) Unwrap() error { return e.err }

// Error says what was called and what came back.
func (e *CallError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "POST %s: ", e.URL)
	switch {
	case e.err != nil && e.HTTPStatus != 0:
		fmt.Fprintf(&b, "HTTP %d: %v", e.HTTPStatus, e.err)
	case e.err != nil && e.Code == codeDeadlineExceeded && errors.Is(e.err, context.DeadlineExceeded):
		b.WriteString("no answer in time")
		if text := e.err.Error(); text != context.DeadlineExceeded.Error() {
			b.WriteString(": " + text)
		}
	case e.err != nil:
		b.WriteString(e.err.Error())
	case e.NoCode:
		fmt.Fprintf(&b, "HTTP %d without a pRPC code", e.HTTPStatus)
	default:
		b.WriteString(codeName(e.Code))
	}
	if e.Text != "" {
		b.WriteString(": " + e.Text)
	}
	if e.Attempts > 0 {
		took := e.Took.Round(time.Millisecond)
		switch {
		case e.timedOut && e.Attempts > 1:
			fmt.Fprintf(&b, " (after %d attempts; the time was over after %s)", e.Attempts, took)
		case e.timedOut:
			fmt.Fprintf(&b, " (the time was over after %s)", took)
		case e.Attempts > 1:
			fmt.Fprintf(&b, " (at attempt %d, after %s)", e.Attempts, took)
		}
	}
	return b.String()
}

// MintError is a token server's reason to give no token (LUCI protocol,
// section 4). It comes with an answer that is a success of the transport.
type MintError struct {
	// Code says what it is.
	Code tokenpb.ErrorCode
	// Text is what the server says, on one line; it may be empty.
	Text string
	// ServiceVersion is the server's, APPID/VERSION.
	ServiceVersion string
}

// Error says what the server answered, and what that means.
func (e *MintError) Error() string {
	text := fmt.Sprintf("the token server answers %s (%d)", e.Code, int(e.Code))
	if e.Text != "" {
		text += ": " + e.Text
	}
	if meaning := mintMeanings[e.Code]; meaning != "" {
		text += "; " + meaning
	}
	return text
}

// answerError is an answer that says success and is of no use.
type answerError struct{ outcome, text string }

func (e *answerError) Error() string { return "the answer of the token server: " + e.text }
