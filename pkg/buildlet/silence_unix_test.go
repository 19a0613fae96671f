//go:build unix

package buildlet

import (
	"io"
	"strings"
	"testing"
	"time"
)

// A command that prints nothing for too long is killed, and both the output
// and the state say why.
func TestSilentCommandIsKilled(t *testing.T) {
	s := serve(t, Options{NoOutputLimit: 2 * time.Second})
	out, state := s.sh("echo one; sleep 600")
	if state.Text != "signal: killed (no output for 2s)" || state.Code() != 137 || !state.Started() {
		t.Errorf("state %+v, code %d", state, state.Code())
	}
	if !strings.HasPrefix(out, "one\n") || !strings.Contains(out, "killed: it had printed nothing for 2s") {
		t.Errorf("output %q", out)
	}
	if out, state := s.sh("for i in 1 2 3 4 5 6; do echo $i; sleep 0.5; done"); !state.OK() || strings.Contains(out, "gobuild") {
		t.Errorf("a talkative command: %+v, %q", state, out)
	}
	if out, state := s.sh("exit 7"); state.Code() != 7 || out != "" {
		t.Errorf("a short command: %+v, %q", state, out)
	}
}

// The caller's slowness is not the command's silence.
func TestSlowReaderIsNoSilence(t *testing.T) {
	killed := make(chan struct{})
	w := watchSilence(20*time.Millisecond, func() { close(killed) })
	defer w.stop()
	pr, pw := io.Pipe()
	wrote := make(chan struct{})
	go func() {
		defer close(wrote)
		io.WriteString(w.writer(pw), "x")
	}()
	time.Sleep(200 * time.Millisecond)
	select {
	case <-killed:
		t.Error("killed while its output was on its way")
	default:
	}
	pr.Close()
	<-wrote
	select {
	case <-killed:
	case <-time.After(patience):
		t.Error("not killed")
	}
	if !w.stop() {
		t.Error("it is not said that it was killed")
	}
}
