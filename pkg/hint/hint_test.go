package hint

import (
	"errors"
	"fmt"
	"io"
	"testing"
)

func TestOf(t *testing.T) {
	inner := With(io.EOF, "try %s", "again")
	for _, tt := range []struct {
		name string
		err  error
		want string
	}{
		{"none", io.EOF, ""},
		{"nil", nil, ""},
		{"direct", inner, "try again"},
		{"wrapped", fmt.Errorf("reading: %w", inner), "try again"},
		{"outermost wins", With(fmt.Errorf("reading: %w", inner), "first do this"), "first do this"},
		{"joined", errors.Join(io.ErrUnexpectedEOF, inner), "try again"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := Of(tt.err); got != tt.want {
				t.Errorf("Of(%v) = %q, want %q", tt.err, got, tt.want)
			}
		})
	}
}

func TestWith(t *testing.T) {
	if err := With(nil, "advice"); err != nil {
		t.Errorf("With(nil) = %v, want nil", err)
	}
	err := With(io.EOF, "advice")
	if err.Error() != "EOF" {
		t.Errorf("text changed: %q", err)
	}
	if !errors.Is(err, io.EOF) {
		t.Error("chain broken: errors.Is(err, io.EOF) is false")
	}
}
