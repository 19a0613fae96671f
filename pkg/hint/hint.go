// Package hint lets an error say what to do next.
//
// An error's text tells what was tried and what came back; the hint beside it
// is the advice. Packages attach hints where they know the remedy; the
// program prints the two on lines of their own. The package imports nothing
// of gobuild, so every other may use it.
package hint

import (
	"errors"
	"fmt"
)

// hinted is an error with advice.
type hinted struct {
	error
	hint string
}

func (h *hinted) Unwrap() error { return h.error }

// Hint returns the advice.
func (h *hinted) Hint() string { return h.hint }

// With returns err with advice attached, formatted as fmt.Sprintf does. The
// text of the error stays as it is. With returns nil for a nil err.
func With(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return &hinted{err, fmt.Sprintf(format, args...)}
}

// Of returns the outermost advice in err's chain, or "" where there is none.
// Any error type with a method Hint() string takes part.
func Of(err error) string {
	var h interface {
		error
		Hint() string
	}
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}
