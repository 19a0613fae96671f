package api

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
)

// Code names a kind of error for programs.
type Code string

// The codes, each with its HTTP status in statusOf.
const (
	CodeBadRequest    Code = "bad_request"    // the request itself is wrong
	CodeUnauthorized  Code = "unauthorized"   // no key, or a wrong one
	CodeForbidden     Code = "forbidden"      // somebody else's, or for others to do
	CodeNotFound      Code = "not_found"      // no such thing
	CodeGone          Code = "instance_ended" // there was such an instance
	CodeConflict      Code = "conflict"       // what is there already stands against it
	CodeTooLarge      Code = "too_large"      // the request has more bytes than are taken
	CodeTooMany       Code = "too_many"       // the same address has asked too often
	CodeMethod        Code = "method"         // the route has other methods
	CodeTimeout       Code = "timeout"        // no machine became free
	CodeUnreachable   Code = "unreachable"    // the machine does not answer
	CodeUnavailable   Code = "unavailable"    // the coordinator cannot do it now: it is ending, or full
	CodeInternal      Code = "internal"       // the coordinator failed
	CodeUpgradeNeeded Code = "tls_required"   // the route works on TLS only
)

var statusOf = map[Code]int{
	CodeBadRequest:    http.StatusBadRequest,
	CodeUnauthorized:  http.StatusUnauthorized,
	CodeForbidden:     http.StatusForbidden,
	CodeNotFound:      http.StatusNotFound,
	CodeGone:          http.StatusNotFound,
	CodeConflict:      http.StatusConflict,
	CodeTooLarge:      http.StatusRequestEntityTooLarge,
	CodeTooMany:       http.StatusTooManyRequests,
	CodeMethod:        http.StatusMethodNotAllowed,
	CodeTimeout:       http.StatusGatewayTimeout,
	CodeUnreachable:   http.StatusBadGateway,
	CodeUnavailable:   http.StatusServiceUnavailable,
	CodeInternal:      http.StatusInternalServerError,
	CodeUpgradeNeeded: http.StatusBadRequest,
}

// Error is what a coordinator refuses or fails with. On the wire it is
// {"error":{"code","message","hint"}}.
type Error struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`
	Advice  string `json:"hint,omitempty"`
}

// Errorf returns an Error without advice.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// WithHint returns e with advice attached.
func (e *Error) WithHint(format string, args ...any) *Error {
	e.Advice = fmt.Sprintf(format, args...)
	return e
}

// Error returns the message, or the code where there is none.
func (e *Error) Error() string { return cmp.Or(e.Message, string(e.Code), "unknown error") }

// Hint returns the advice; see package hint.
func (e *Error) Hint() string { return e.Advice }

// Status returns the HTTP status that goes with the code.
func (e *Error) Status() int {
	if s, ok := statusOf[e.Code]; ok {
		return s
	}
	return http.StatusInternalServerError
}

// errorBody is an Error on the wire.
type errorBody struct {
	Error *Error `json:"error"`
}

// Write answers w with e.
func (e *Error) Write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if e.Code == CodeUnauthorized {
		w.Header().Set("WWW-Authenticate", `Basic realm="gobuild", charset="UTF-8"`)
	}
	w.WriteHeader(e.Status())
	json.NewEncoder(w).Encode(errorBody{e})
}

// ParseError returns the Error in the body of a coordinator's answer, or nil
// if the body is none.
func ParseError(resp *http.Response, body []byte) error {
	if !isJSON(resp) {
		return nil
	}
	var b errorBody
	if json.Unmarshal(body, &b) != nil || b.Error == nil || b.Error.Message == "" {
		return nil
	}
	return b.Error
}
