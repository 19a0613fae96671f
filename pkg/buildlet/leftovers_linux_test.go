package buildlet

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// inWorkDir returns the living processes that run in the work directory.
func (s *testServer) inWorkDir() (pids []int) {
	for _, pid := range processes() {
		dir, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid))
		if err == nil && dir == s.work && alive(pid) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// Processes that start others as fast as they die are hunted down.
func TestLeftoversThatBreed(t *testing.T) {
	s := serve(t, Options{})
	s.put("breed", "#!/bin/sh\nsleep 0.005\nsetsid ./breed &\n", 0o755)
	for range 5 {
		if _, state := s.sh("setsid ./breed & sleep 0.1"); !state.OK() {
			t.Errorf("state %q", state.Text)
		}
		if pids := s.inWorkDir(); len(pids) > 0 {
			t.Errorf("processes %d live on", pids)
		}
	}
}

// A command that runs beside another is none of the other's leftovers.
func TestLeftoversOfOthersLive(t *testing.T) {
	s := serve(t, Options{})
	pr, pw := io.Pipe()
	ended := make(chan ExitState, 1)
	go func() {
		state, err := s.client().Exec(t.Context(), "/bin/sh", ExecOptions{Dir: ".", Output: pw,
			Args: []string{"-c", "setsid sleep 600 & echo $!; while [ ! -e go-on ]; do sleep 0.01; done; exit 3"}})
		if err != nil {
			t.Error(err)
		}
		ended <- state
	}()
	var stray int
	if _, err := fmt.Fscan(pr, &stray); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if _, state := s.sh("setsid sleep 600 & sleep 0.02"); !state.OK() {
			t.Errorf("state %q", state.Text)
		}
	}
	if s.Busy() != 1 || !alive(stray) {
		t.Errorf("busy with %d commands, the other's process lives: %t", s.Busy(), alive(stray))
	}
	s.put("go-on", "", 0o644)
	if state := <-ended; state.Text != "exit status 3" || alive(stray) {
		t.Errorf("state %q, its process lives: %t", state.Text, alive(stray))
	}
}

// A process that cannot be found, as it has left the group and has thrown its
// environment away, holds an answer up for drainWait and no longer, however
// much it goes on to write.
func TestLeftoversThatHide(t *testing.T) {
	s := serve(t, Options{})
	for _, line := range []string{`while :; do echo x; sleep 0.1; done`, `exec cat /dev/zero`} {
		within(t, "the command's end", func() {
			out, state := s.sh("env -i PATH=$PATH setsid sh -c 'echo $$ >pid.new; mv pid.new pid; " + line + "' & while [ ! -e pid ]; do sleep 0.01; done")
			if !state.OK() || out == "" {
				t.Errorf("%s: %d bytes of output, state %q", line, len(out), state.Text)
			}
		})
		for _, pid := range s.pids("pid") {
			syscall.Kill(pid, syscall.SIGKILL)
		}
		os.Remove(s.path("pid"))
	}
}

// All that was written before the end arrives, however slowly it is read.
func TestLeftoversAndSlowCaller(t *testing.T) {
	s := serve(t, Options{})
	var out bytes.Buffer
	state, err := s.client().Exec(t.Context(), "/bin/sh", ExecOptions{Dir: ".", Output: slowWriter{&out},
		Args: []string{"-c", `head -c 300000 /dev/zero; (echo last; exec sleep 600) & sleep 0.05; exit 1`}})
	if err != nil || state.Text != "exit status 1" || out.Len() != 300005 || !strings.HasSuffix(out.String(), "last\n") {
		t.Errorf("%d bytes of output, state %q (%v)", out.Len(), state.Text, err)
	}
}

type slowWriter struct{ w io.Writer }

func (s slowWriter) Write(p []byte) (int, error) {
	time.Sleep(20 * time.Millisecond)
	return s.w.Write(p)
}

// A server may be closed twice, and while commands begin. They do not end
// like commands that have failed.
func TestCloseWhileCommandsBegin(t *testing.T) {
	s := serve(t, Options{})
	ended := make(chan error, 20)
	for range cap(ended) {
		go func() {
			_, err := s.client().Exec(t.Context(), "/bin/sleep", ExecOptions{Args: []string{"600"}, Dir: "."})
			ended <- err
		}()
	}
	await(t, "some run", func() bool { return s.Busy() > 3 })
	for range 2 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	for range cap(ended) {
		err := <-ended
		if se := new(StatusError); err == nil || errors.As(err, &se) && se.Status != 503 {
			t.Errorf("error %v", err)
		}
	}
	if pids := s.inWorkDir(); len(pids) > 0 {
		t.Errorf("processes %d live on", pids)
	}
}
