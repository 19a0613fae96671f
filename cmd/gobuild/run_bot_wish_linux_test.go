package main

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gobuild/pkg/supervise"
)

// A Swarming bot is asked to end for a pause or a drain, and not started
// until it is over.
func TestRunBotPauseAndDrain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "bot")
	owner := func(want string, words ...string) {
		t.Helper()
		out, err := exec.Command("gobuild", append(words, "--workdir", dir)...).CombinedOutput()
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%q: %v, %s", words, err, out)
		}
	}
	held := func(p *botProcess) {
		t.Helper()
		p.await("held", func() bool {
			st, ok := p.status()
			return ok && st.State == supervise.Held && st.Pid == 0 && st.Up() && st.Phase != nil && st.Phase.Name == supervise.Paused
		})
	}
	p := startRunBot(t, dir, "idle")
	pid := p.running(0)
	owner("finishing the task that runs, if there is one, then paused until ", "pause", "--for", "1h")
	held(p)
	p.cmd.Process.Kill()
	<-p.done
	p = startRunBot(t, dir, "idle")
	held(p)
	owner("it takes work", "resume")
	pid = p.running(pid)
	if st, _ := p.status(); st.Phase != nil {
		t.Errorf("phase %+v", st.Phase)
	}
	owner("then stopping", "drain", "--wait")
	if code := p.end(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	p = startRunBot(t, dir, "idle")
	held(p)
	owner("drained already", "drain", "--wait")
	owner("it takes work", "resume")
	p.running(pid)
}

// A drain also ends a run-bot whose bot does not even start.
func TestRunBotDrainWhileDead(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "bot")
	p := startRunBot(t, dir, "crash", "--retry-min=1h", "--retry-max=1h")
	p.await("it backs off", func() bool {
		st, ok := p.status()
		return ok && st.State == supervise.BackingOff
	})
	if out, err := exec.Command("gobuild", "drain", "--wait", "--workdir", dir).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	if code := p.end(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}
