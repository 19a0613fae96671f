package main

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"gobuild/pkg/api"
	"gobuild/pkg/builderkey"
	"gobuild/pkg/buildlet"
	"gobuild/pkg/coordinator"
	"gobuild/pkg/farmbot"
	"gobuild/pkg/gomote"
	"gobuild/pkg/netdial"
	"gobuild/pkg/netdial/dialtest"
	"gobuild/pkg/supervise"
	"gobuild/pkg/supervise/control"
)

const (
	farmHostType = "host-linux-amd64-localdev"
	farmBuilder  = "linux-amd64-localdev"
	farmHost     = "cupboard"
	// farmPatience is within what a worker is to be in the pool again.
	farmPatience = 60 * time.Second
)

// realProcess is a "gobuild" that runs, with what it printed.
type realProcess struct {
	cmd  *exec.Cmd
	out  lockedBuffer
	done chan struct{}
}

// realFarm is a coordinator and a run-bot, both real processes.
type realFarm struct {
	t           *testing.T
	url, dir    string
	ca          string // where the coordinator's CA lies
	env, args   []string
	coord, bot  *realProcess
	client      *api.Client
	roots       *x509.CertPool // that the coordinator is known by
	bots        int            // how many run-bots were started
	all         []*realProcess
	coordinator string
}

// start starts a gobuild.
func (f *realFarm) start(args ...string) *realProcess {
	f.t.Helper()
	return f.startProgram("gobuild", args...)
}

func (f *realFarm) startProgram(program string, args ...string) *realProcess {
	f.t.Helper()
	p := &realProcess{cmd: exec.Command(program, args...), done: make(chan struct{})}
	p.cmd.Env = f.env
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	p.cmd.WaitDelay = time.Second
	if err := p.cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		p.cmd.Wait()
	}()
	f.all = append(f.all, p)
	return p
}

// kill kills a process as a power cut does.
func (p *realProcess) kill() {
	p.cmd.Process.Kill()
	<-p.done
}

// run runs a gobuild to its end.
func (f *realFarm) run(args ...string) (out string, code int) {
	f.t.Helper()
	p := f.start(args...)
	select {
	case <-p.done:
	case <-time.After(farmPatience):
		f.t.Fatalf("%q does not end: %s", args, p.out.String())
	}
	return p.out.String(), p.cmd.ProcessState.ExitCode()
}

func (f *realFarm) startCoordinator() {
	f.coord = f.start("coordinator", "--dev", "--listen", f.coordinator)
}

func (f *realFarm) startBot() {
	f.bots++
	f.bot = f.start(append([]string{"run-bot", "--dev", "--host-type", farmHostType, "--hostname", farmHost, "--coordinator", f.url, "--workdir", f.dir,
		"--retry-min=10ms", "--retry-max=100ms", "--retry-budget=0", "--settle=10ms", "--min-free-disk=0"}, f.args...)...)
}

// startFarm starts both and waits until the machine is in the pool.
func startFarm(t *testing.T, args ...string) *realFarm {
	t.Helper()
	f := newFarm(t, args...)
	f.openCoordinator()
	f.startBot()
	f.awaitState(api.HostIdle)
	return f
}

// newFarm is one of which nothing was started yet.
func newFarm(t *testing.T, args ...string) *realFarm {
	t.Helper()
	addr := dialtest.FreeAddr(t)
	f := &realFarm{t: t, coordinator: addr, url: "https://" + addr, dir: filepath.Join(t.TempDir(), "bot"), args: args}
	home := t.TempDir()
	f.env = append(os.Environ(), "HOME="+home, "XDG_CONFIG_HOME="+home, "XDG_CACHE_HOME="+home, "XDG_STATE_HOME="+filepath.Join(home, "state"),
		"NO_PROXY=127.0.0.1", "GORACE=atexit_sleep_ms=10", "FARM_TEST_MARK="+f.mark())
	f.ca = filepath.Join(home, "gobuild", "dev", coordinator.DevCA)
	return f
}

// openCoordinator starts the coordinator, and has all end with the test.
func (f *realFarm) openCoordinator() {
	f.t.Helper()
	f.t.Cleanup(f.end)
	f.startCoordinator()
	f.await("the coordinator's CA", func() bool {
		_, err := os.Stat(f.ca)
		return err == nil && strings.Contains(f.coord.out.String(), "msg=serving")
	})
	var err error
	if f.roots, err = netdial.Roots(f.ca); err != nil {
		f.t.Fatal(err)
	}
	principal := builderkey.UserPrincipal("dev")
	f.client, err = api.NewClient(api.ClientOptions{URL: f.url, User: principal, Key: builderkey.DevMaster().Key(principal), Dialer: &netdial.Dialer{Roots: f.roots}})
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(f.client.Close)
}

// mark is in the environment of all that the farm starts.
func (f *realFarm) mark() string {
	// Not of 001, in which f.dir lies: that is in each run of the test.
	return "farm-test-of-" + filepath.Base(filepath.Dir(filepath.Dir(f.dir)))
}

// end ends all, and checks that nothing has stayed.
func (f *realFarm) end() {
	if f.bot != nil {
		f.bot.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-f.bot.done:
			if code := f.bot.cmd.ProcessState.ExitCode(); code != 0 && code != -1 {
				f.t.Errorf("run-bot's exit code %d", code)
			}
		case <-time.After(farmPatience):
			f.t.Error("run-bot does not end")
		}
	}
	for _, p := range f.all {
		p.kill()
	}
	if left := supervise.Marked("FARM_TEST_MARK=" + f.mark()); len(left) > 0 {
		f.t.Errorf("processes %v live on", left)
		for _, pid := range left {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	for _, p := range f.all {
		text := p.out.String()
		if strings.Contains(text, "DATA RACE") {
			f.t.Error("there was a race")
		}
		if f.t.Failed() && len(f.all) < 30 {
			f.t.Logf("%s said at last: %s", p.cmd.Args[1], text[max(0, len(text)-3000):])
		}
	}
}

func (f *realFarm) await(what string, cond func() bool) {
	f.t.Helper()
	for deadline := time.Now().Add(farmPatience); !cond(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			f.t.Fatalf("not within %s: %s", farmPatience, what)
		}
	}
}

// host returns the machine in the pool.
func (f *realFarm) host() (h api.Host, ok bool) {
	ctx, cancel := context.WithTimeout(f.t.Context(), 10*time.Second)
	defer cancel()
	pool, err := f.client.Pool(ctx)
	if err != nil {
		return h, false
	}
	if len(pool.Hosts) > 1 {
		f.t.Errorf("%d machines are in the pool", len(pool.Hosts))
	}
	for _, h := range pool.Hosts {
		return h, true
	}
	return h, false
}

func (f *realFarm) awaitState(state api.HostState) (h api.Host) {
	f.t.Helper()
	f.await("the machine is "+string(state)+" in the pool", func() bool {
		var ok bool
		h, ok = f.host()
		return ok && h.State == state
	})
	return h
}

// local asks run-bot itself.
func (f *realFarm) local() (control.Status, bool) {
	client, err := control.NewClient(farmbot.StateDir(f.dir))
	if err != nil {
		return control.Status{}, false
	}
	st, err := client.Status(f.t.Context())
	return st, err == nil
}

// awaitPhase waits until run-bot knows what the pool does already: its
// buildlet's report may be behind by a moment.
func (f *realFarm) awaitPhase(phase supervise.PhaseName) {
	f.t.Helper()
	f.await("run-bot knows that it is "+string(phase), func() bool {
		st, ok := f.local()
		return ok && st.Worker.Phase != nil && st.Worker.Phase.Name == phase
	})
}

// buildletPid waits for a buildlet and returns it.
func (f *realFarm) buildletPid() (pid int) {
	f.t.Helper()
	f.await("a buildlet runs", func() bool {
		st, ok := f.local()
		pid = st.Worker.Pid
		return ok && pid != 0
	})
	return pid
}

// session takes the machine.
func (f *realFarm) session(ctx context.Context) (*gomote.Session, error) {
	inst, err := f.client.Create(ctx, api.CreateRequest{BuilderType: farmBuilder, WaitSeconds: 30}, nil)
	if err != nil {
		return nil, err
	}
	principal := builderkey.UserPrincipal("dev")
	return gomote.Open(ctx, f.client, principal, builderkey.DevMaster().Key(principal), inst.ID)
}

// begin has a shell command run on the machine; done gets what came of it.
func (f *realFarm) begin(script string, out io.Writer) (s *gomote.Session, done chan error) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), 4*farmPatience)
	f.t.Cleanup(cancel)
	s, err := f.session(ctx)
	if err != nil {
		f.t.Fatal(err)
	}
	done = make(chan error, 1)
	go func() {
		state, err := s.Run(ctx, "/bin/sh", gomote.RunOptions{ExecOptions: buildlet.ExecOptions{Args: []string{"-c", script}, SystemLevel: true, Output: out}})
		if err == nil {
			if !state.OK() {
				err = errors.New(state.Text)
			}
		}
		done <- err
	}()
	return s, done
}

// nothing waits until nothing of a build runs any more.
func (f *realFarm) noBuild(what string) {
	f.t.Helper()
	var left []int
	f.await("no process of a build lives after "+what, func() bool {
		left = supervise.Marked("FARM_TEST_BUILD=" + f.mark())
		return len(left) == 0
	})
}

// build is a shell script that runs under the tests' mark.
func (f *realFarm) build(script string) string {
	return "export FARM_TEST_BUILD=" + f.mark() + "; echo began; " + script
}

// Run-bot, its buildlet and the coordinator are killed in turn at random
// points, while a command runs. Each time the machine is idle in the pool
// again, as one, and nothing of the command lives on.
func TestFarmSurvivesKills(t *testing.T) {
	kills := 200
	if testing.Short() {
		kills = 9
	}
	f := startFarm(t)
	deadline, limited := t.Deadline()
	begun := time.Now()
	n := 0
	killed := []string{"run-bot", "the buildlet", "the coordinator"}
	var sum, longest [3]time.Duration // until it is idle again
	for ; n < kills; n++ {
		if limited && time.Until(deadline) < 2*farmPatience+time.Minute {
			break
		}
		var out lockedBuffer
		_, done := f.begin(f.build("(setsid sleep 600 &) ; trap '' TERM; sleep 600; sleep 600"), &out)
		f.await("the command runs", func() bool { return strings.Contains(out.String(), "began") })
		time.Sleep(time.Duration(rand.IntN(100)) * time.Millisecond)
		what := killed[n%3]
		at := time.Now()
		switch n % 3 {
		case 0:
			f.bot.kill()
			f.startBot()
		case 1:
			syscall.Kill(f.buildletPid(), syscall.SIGKILL)
		case 2:
			f.coord.kill()
			f.startCoordinator()
		}
		select {
		case err := <-done:
			if err == nil {
				t.Errorf("the command ended well although %s was killed", what)
			}
		case <-time.After(farmPatience):
			t.Fatalf("the command's caller waits on although %s was killed", what)
		}
		f.awaitState(api.HostIdle)
		took := time.Since(at)
		sum[n%3], longest[n%3] = sum[n%3]+took, max(longest[n%3], took)
		f.noBuild(what + " was killed")
		if t.Failed() {
			break
		}
	}
	t.Logf("%d kills in %s", n, time.Since(begun).Round(time.Second))
	for i, what := range killed {
		times := max((n+2-i)/3, 1)
		t.Logf("%s killed %d times: idle in the pool again after %s on the average, %s at the longest", what, times,
			(sum[i] / time.Duration(times)).Round(time.Millisecond), longest[i].Round(time.Millisecond))
	}
	if n < min(kills, 9) {
		t.Errorf("only %d kills", n)
	}
}

// Drain, pause and resume, by the socket and through the coordinator, across
// a SIGKILL of run-bot.
func TestFarmPauseAndDrain(t *testing.T) {
	f := startFarm(t)
	owner := func(words ...string) string {
		t.Helper()
		out, code := f.run(words...)
		if code != 0 {
			t.Fatalf("%q: exit code %d: %s", words, code, out)
		}
		return out
	}
	through := []string{"--through-coordinator", "--dev", "--coordinator", f.url, "--host-type", farmHostType, "--hostname", farmHost}

	if out := owner("pause", "--for", "1h", "--why", "the fan is cleaned", "--workdir", f.dir); !strings.HasPrefix(out, "paused until ") {
		t.Errorf("pause: %s", out)
	}
	if h := f.awaitState(api.HostPaused); !strings.Contains(h.Why, "by its owner: the fan is cleaned") {
		t.Errorf("the pool says %q", h.Why)
	}
	f.bot.kill()
	f.startBot()
	f.awaitState(api.HostPaused)
	owner(append([]string{"resume"}, through...)...)
	f.awaitState(api.HostIdle)
	owner(append([]string{"pause", "--for", "1h"}, through...)...)
	f.awaitState(api.HostPaused)
	f.await("the wish is kept", func() bool {
		w, err := control.Load(farmbot.StateDir(f.dir))
		return err == nil && w.State == control.Paused
	})
	f.bot.kill()
	f.startBot()
	f.awaitState(api.HostPaused)
	owner("resume", "--workdir", f.dir)
	f.awaitState(api.HostIdle)

	// A drain lets the instance finish.
	var out lockedBuffer
	s, done := f.begin("echo began; sleep 2; echo finished", &out)
	f.await("the command runs", func() bool { return strings.Contains(out.String(), "began") })
	f.awaitPhase(supervise.Working)
	if text := owner("drain", "--workdir", f.dir); !strings.Contains(text, "finishing instance "+s.Instance().ID+", then stopping") {
		t.Errorf("drain: %s", text)
	}
	if err := <-done; err != nil || !strings.Contains(out.String(), "finished") {
		t.Errorf("the command: %v, %s", err, out.String())
	}
	if err := f.client.Destroy(t.Context(), s.Instance().ID); err != nil {
		t.Error(err)
	}
	f.botEnds()
	if text, code := f.run("status", "--local", "--workdir", f.dir); code != 1 || !strings.Contains(text, "when it is started it is drained by its owner") {
		t.Errorf("status --local of what does not run: code %d, %s", code, text)
	}
	// Started again, it stays, and takes nothing.
	f.startBot()
	if h := f.awaitState(api.HostPaused); !strings.Contains(h.Why, "drained") {
		t.Errorf("the pool says %q", h.Why)
	}
	owner("resume", "--workdir", f.dir)
	f.awaitState(api.HostIdle)
	f.awaitPhase(supervise.Idle)
	if text := owner("status", "--local", "--workdir", f.dir); !regexp.MustCompile(`(?m)^state +idle for `).MatchString(text) {
		t.Errorf("status --local: %s", text)
	}
	var st control.Status
	if err := json.Unmarshal([]byte(owner("status", "--local", "--json", "--workdir", f.dir)), &st); err != nil || st.Worker.Phase.Name != supervise.Idle {
		t.Errorf("status --local --json: %+v, %v", st, err)
	}
	owner("drain", "--wait", "--workdir", f.dir)
	f.botEnds()
	// A wish for one that does not run is found when it is started.
	if text := owner("pause", "--workdir", f.dir); !strings.Contains(text, "no run-bot runs in") {
		t.Errorf("pause: %s", text)
	}
	f.startBot()
	f.awaitState(api.HostPaused)
}

// botEnds waits until run-bot has ended well.
func (f *realFarm) botEnds() {
	f.t.Helper()
	select {
	case <-f.bot.done:
		if code := f.bot.cmd.ProcessState.ExitCode(); code != 0 {
			f.t.Errorf("run-bot's exit code %d", code)
		}
	case <-time.After(farmPatience):
		f.t.Fatal("run-bot does not end")
	}
}

// tailBuffer counts what is written and keeps its end.
type tailBuffer struct {
	mu   sync.Mutex
	size int
	tail []byte
}

func (b *tailBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.size += len(p)
	b.tail = append(b.tail, p[max(0, len(p)-100):]...)
	b.tail = append([]byte{}, b.tail[max(0, len(b.tail)-100):]...)
	return len(p), nil
}

func (b *tailBuffer) end() (tail string, size int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return string(b.tail), b.size
}

// Builds that behave badly leave nothing behind, and the machine works on.
func TestFarmBadBuilds(t *testing.T) {
	bytes := 1 << 30
	if testing.Short() {
		bytes = 64 << 20
	}
	f := startFarm(t, "--max-processes=300", "--env", "FARM_OVERLAY=from its owner")
	pid := f.buildletPid()
	for _, tt := range []struct{ name, script, want string }{
		{"daemons", "for i in 1 2 3 4 5; do (setsid sh -c 'trap \"\" TERM HUP; sleep 600; sleep 600' </dev/null >/dev/null 2>&1 &); done; echo $FARM_OVERLAY", "from its owner"},
		{"output", fmt.Sprintf("head -c %d /dev/zero | tr '\\0' x; echo; echo done", bytes), "done"},
		{"processes", "i=0; while [ $i -lt 3000 ]; do sleep 600 & i=$((i+1)); done; sleep 600", ""},
	} {
		var out tailBuffer
		began := time.Now()
		s, done := f.begin(f.build(tt.script), &out)
		select {
		case err := <-done:
			if tt.want != "" && err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
		case <-time.After(3 * farmPatience):
			t.Fatalf("%s: the command does not end", tt.name)
		}
		text, size := out.end()
		if !strings.Contains(text, tt.want) {
			t.Errorf("%s: got %d bytes that end in %q", tt.name, size, text)
		}
		if tt.name == "output" && size < bytes {
			t.Errorf("%d of %d bytes came", size, bytes)
		}
		if err := f.client.Destroy(t.Context(), s.Instance().ID); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		f.awaitState(api.HostIdle)
		f.noBuild(tt.name)
		t.Logf("%s: %s", tt.name, time.Since(began).Round(10*time.Millisecond))
	}
	if now := f.buildletPid(); now != pid {
		t.Errorf("the buildlet was lost: process %d, before %d", now, pid)
	}
	if !strings.Contains(f.bot.out.String(), "too many processes, and all but the buildlet are killed") {
		t.Error("the processes were not limited")
	}
}

// A command that prints nothing for too long is killed, and its caller told.
func TestFarmSilentCommand(t *testing.T) {
	f := startFarm(t, "--no-output-limit=2s")
	var out lockedBuffer
	s, done := f.begin(f.build("sleep 600; sleep 600"), &out)
	select {
	case err := <-done:
		if err == nil || !strings.Contains(err.Error(), "no output for 2s") {
			t.Errorf("the command: %v, %s", err, out.String())
		}
	case <-time.After(farmPatience):
		t.Fatal("the command does not end")
	}
	if err := f.client.Destroy(t.Context(), s.Instance().ID); err != nil {
		t.Error(err)
	}
	f.awaitState(api.HostIdle)
	f.noBuild("it was killed")
}

// When run-bot is told to end, what runs is killed with its buildlet, at the
// first signal.
func TestFarmSignals(t *testing.T) {
	f := startFarm(t, "--log-file", filepath.Join(t.TempDir(), "run-bot.log"))
	var out lockedBuffer
	_, done := f.begin(f.build("trap '' TERM; sleep 600; sleep 600"), &out)
	f.await("the command runs", func() bool { return strings.Contains(out.String(), "began") })
	second := f.start(f.bot.cmd.Args[1:]...)
	<-second.done
	if second.cmd.ProcessState.ExitCode() != 1 || !strings.Contains(second.out.String(), "it is locked by process "+strconv.Itoa(f.bot.cmd.Process.Pid)) {
		t.Errorf("a second run-bot: %s", second.out.String())
	}
	f.await("the log says so", func() bool {
		text, _ := os.ReadFile(f.args[1])
		return strings.Contains(string(text), "is working")
	})
	f.bot.cmd.Process.Signal(syscall.SIGTERM)
	f.botEnds()
	<-done
	f.noBuild("run-bot was told to end")
	if text := f.bot.out.String(); text != "" {
		t.Errorf("beside the log file it says %s", text)
	}
	if text, err := os.ReadFile(f.args[1]); err != nil || !strings.Contains(string(text), "told to end, and with it what runs") {
		t.Errorf("the log: %s, %v", text, err)
	}
}

// Without a coordinator run-bot waits, and says what for.
func TestFarmAwaitsNetwork(t *testing.T) {
	f := startFarm(t)
	f.bot.kill()
	f.coord.kill()
	f.startBot()
	f.await("it says what it waits for", func() bool {
		st, ok := f.local()
		return ok && st.Worker.State == supervise.Starting && strings.Contains(st.Worker.Why, "waiting for the network: ") && strings.Contains(st.Worker.Why, f.coordinator)
	})
	f.startCoordinator()
	f.awaitState(api.HostIdle)
}
