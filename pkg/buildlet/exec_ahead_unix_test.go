//go:build unix

package buildlet

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
)

// A caller that goes away is noticed although the command reads nothing of
// what it has sent.
func TestExecCallerGoesAwayUnread(t *testing.T) {
	s := serve(t, Options{})
	for _, size := range []int{100, 100 << 10, 1 << 20, 3 << 20} {
		ctx, cancel := context.WithCancel(t.Context())
		pr, pw := io.Pipe()
		go func() {
			io.Copy(pw, bytes.NewReader(make([]byte, size)))
			pw.CloseWithError(io.EOF)
			cancel() // all is on its way
		}()
		_, err := s.client().Exec(ctx, "/bin/sleep", ExecOptions{Args: []string{"600"}, Dir: ".", Stdin: pr})
		if err == nil {
			t.Errorf("%d bytes of input: the command ended", size)
		}
		await(t, "the command is dead", func() bool { return s.Busy() == 0 })
	}
}

// A command that is slow to read gets all, in order.
func TestExecStdinSlowly(t *testing.T) {
	s := serve(t, Options{})
	var in strings.Builder
	for in.Len() < 6<<20 { // more than is read ahead
		in.WriteString("0123456789 the quick brown fox\n")
	}
	var out bytes.Buffer
	state, err := s.client().Exec(t.Context(), "/bin/sh", ExecOptions{Dir: ".", Stdin: strings.NewReader(in.String()), Output: &out,
		Args: []string{"-c", "sleep 0.3; head -c 100; sleep 0.3; cat"}})
	if err != nil || !state.OK() || out.String() != in.String() {
		t.Errorf("%d bytes in, %d out, state %q (%v)", in.Len(), out.Len(), state.Text, err)
	}
}
