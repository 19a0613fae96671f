package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
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

	"gobuild/pkg/supervise"
	"gobuild/pkg/swarmbot/bottest"
)

// botPatience bounds the wait for what takes moments.
const botPatience = 30 * time.Second

// lockedBuffer is what a process prints.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// botProcess is a real "gobuild run-bot".
type botProcess struct {
	t    *testing.T
	cmd  *exec.Cmd
	out  lockedBuffer
	dir  string
	done chan struct{} // closed when it has ended
}

// startRunBot starts "gobuild run-bot" with a bot of the given mode.
func startRunBot(t *testing.T, dir, mode string, args ...string) *botProcess {
	t.Helper()
	const host = "linux-riscv64-gopher"
	s := bottest.Start(t, bottest.Zip())
	args = append([]string{"run-bot", "--hostname", host, "--swarming", s.Host, "--ca-file", s.CAFile, "--workdir", dir,
		"--token-file", bottest.TokenFile(t, host+".bots.golang.org", time.Hour), "--python", bottest.Python(t), "--allow-root",
		"--retry-min=10ms", "--retry-max=20ms", "--retry-budget=0", "--settle=1h", "--health-addr=127.0.0.1:0"}, args...)
	p := &botProcess{t: t, cmd: exec.Command("gobuild", args...), dir: dir, done: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), "BOT_MODE="+mode, "HOME="+t.TempDir(), "XDG_CONFIG_HOME="+t.TempDir(), "NO_PROXY=127.0.0.1", "GORACE=atexit_sleep_ms=10")
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	p.cmd.WaitDelay = botPatience
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		p.cmd.Wait()
	}()
	t.Cleanup(func() {
		p.cmd.Process.Kill()
		<-p.done
		if t.Failed() {
			text := p.out.String()
			t.Logf("run-bot said, at last: %s", text[max(0, len(text)-3000):])
		}
	})
	return p
}

// status asks for the status; ok is false if there is none.
func (p *botProcess) status() (st supervise.Status, ok bool) {
	m := regexp.MustCompile(`url=(http://\S+/)`).FindStringSubmatch(p.out.String())
	if m == nil {
		return st, false
	}
	resp, err := http.Get(m[1] + "status.json")
	if err != nil {
		return st, false
	}
	defer resp.Body.Close()
	return st, json.NewDecoder(resp.Body).Decode(&st) == nil
}

func (p *botProcess) await(what string, cond func() bool) {
	p.t.Helper()
	for deadline := time.Now().Add(botPatience); !cond(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			p.t.Fatalf("not within %s: %s", botPatience, what)
		}
	}
}

// running waits until a bot other than the given ones runs, and returns it.
func (p *botProcess) running(not int) (pid int) {
	p.t.Helper()
	p.await("a bot runs", func() bool {
		st, ok := p.status()
		pid = st.Pid
		return ok && st.State == supervise.Running && pid != 0 && pid != not
	})
	return pid
}

// end waits for the end of run-bot and returns its exit code.
func (p *botProcess) end() int {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(botPatience):
		p.t.Fatal("run-bot does not end")
	}
	return p.cmd.ProcessState.ExitCode()
}

// noOrphans checks that no process of the bot lives, by what the bots have
// written and by their mark.
func noOrphans(t *testing.T, dir string) {
	t.Helper()
	for _, name := range []string{"starts", "children"} {
		text, _ := os.ReadFile(filepath.Join(dir, name))
		for word := range strings.FieldsSeq(string(text)) {
			pid, _ := strconv.Atoi(word)
			// One that was killed may take some milliseconds to go.
			lives := true
			for deadline := time.Now().Add(2 * time.Second); lives && time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
				cwd, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid))
				lives = err == nil && cwd == dir
			}
			if lives {
				t.Errorf("process %d of %s lives on", pid, name)
			}
		}
	}
	if text, err := os.ReadFile(filepath.Join(dir, "second")); err == nil {
		t.Errorf("a second bot was started beside %s", text)
	}
}

// Two hundred bots are killed at random moments of their lives, with children
// in sessions and groups of their own. Each time one other comes, and nothing
// stays behind.
func TestRunBotSurvivesKills(t *testing.T) {
	kills := 200
	if testing.Short() {
		kills = 20
	}
	t.Setenv("SWARMING_BOT_DIR", t.Name()) // inherited by all that the bots start
	dir := filepath.Join(t.TempDir(), "bot")
	p := startRunBot(t, dir, "family")
	start, pid := time.Now(), 0
	for range kills {
		pid = p.running(pid)
		// Mostly while it starts, sometimes when it has children.
		most := []int{40, 40, 40, 250}[rand.IntN(4)]
		time.Sleep(time.Duration(rand.IntN(most)) * time.Millisecond)
		sig := []syscall.Signal{syscall.SIGKILL, syscall.SIGKILL, syscall.SIGSEGV, syscall.SIGTERM}[rand.IntN(4)]
		if target := pid; rand.IntN(3) == 0 {
			syscall.Kill(-target, sig) // its group as well
		} else {
			syscall.Kill(target, sig)
		}
	}
	p.running(pid)
	st, _ := p.status()
	t.Logf("%d kills in %s: %d starts, %d strays", kills, time.Since(start).Round(time.Second), st.Starts, st.Strays)
	if st.Starts != kills+1 {
		t.Errorf("%d starts, want %d", st.Starts, kills+1)
	}
	syscall.Kill(p.cmd.Process.Pid, syscall.SIGTERM)
	if code := p.end(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	noOrphans(t, dir)
	if left := supervise.Marked("SWARMING_BOT_DIR=" + t.Name()); len(left) > 0 {
		t.Errorf("processes %v live on", left)
	}
	if text := p.out.String(); strings.Contains(text, "a bot runs in") || strings.Contains(text, "DATA RACE") {
		t.Error("a bot was still there when another was to start, or there was a race")
	}
}

// When run-bot itself is killed, its bot ends too, and the next run-bot goes
// on.
func TestRunBotKilled(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "bot")
	pid := 0
	for range 5 {
		p := startRunBot(t, dir, "family")
		pid = p.running(pid)
		time.Sleep(time.Duration(rand.IntN(150)) * time.Millisecond)
		p.cmd.Process.Kill()
		<-p.done
	}
	p := startRunBot(t, dir, "family")
	p.running(pid)
	if second := startRunBot(t, dir, "family"); second.end() != 1 || !strings.Contains(second.out.String(), "it is locked by process "+strconv.Itoa(p.cmd.Process.Pid)) {
		t.Errorf("a second run-bot: %s", second.out.String())
	}
	syscall.Kill(p.cmd.Process.Pid, syscall.SIGTERM)
	if code := p.end(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	noOrphans(t, dir)
}

// The first signal asks the bot to end, the second kills it; the exit code is
// 0 either way.
func TestRunBotSignals(t *testing.T) {
	for _, tt := range []struct {
		mode    string
		signals int
	}{{"idle", 1}, {"deaf,family", 2}} {
		dir := filepath.Join(t.TempDir(), "bot")
		p := startRunBot(t, dir, tt.mode)
		p.await("the bot runs", func() bool {
			_, err := os.Stat(filepath.Join(dir, "logs", "swarming_bot.log"))
			return err == nil
		})
		for i := range tt.signals {
			if i > 0 {
				p.await("the first signal was taken", func() bool { return strings.Contains(p.out.String(), "asking Swarming bot") })
			}
			p.cmd.Process.Signal(os.Interrupt)
		}
		if code := p.end(); code != 0 {
			t.Errorf("%s: exit code %d", tt.mode, code)
		}
		noOrphans(t, dir)
	}
}

// --once gives back whether the bot ended well.
func TestRunBotOnce(t *testing.T) {
	for mode, want := range map[string]int{"exit0": 0, "exit3": 1, "crash": 1} {
		dir := filepath.Join(t.TempDir(), "bot")
		p := startRunBot(t, dir, mode, "--once")
		if code := p.end(); code != want {
			t.Errorf("%s: exit code %d, want %d", mode, code, want)
		}
		noOrphans(t, dir)
	}
}

// Systemd is told that the worker is ready, how it is, and that it lives.
func TestRunBotNotifiesSystemd(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	t.Setenv("NOTIFY_SOCKET", socket)
	t.Setenv("WATCHDOG_USEC", "300000")
	dir := filepath.Join(t.TempDir(), "bot")
	p := startRunBot(t, dir, "idle")
	want := []string{"READY=1", "STATUS=starting", "STATUS=running", "WATCHDOG=1"}
	seen := map[string]bool{}
	read := func() {
		buf := make([]byte, 4096)
		conn.SetReadDeadline(time.Now().Add(botPatience))
		n, err := conn.Read(buf)
		if err != nil {
			t.Fatalf("seen %v: %v", seen, err)
		}
		seen[string(buf[:n])] = true
	}
	for _, state := range want {
		for !seen[state] {
			read()
		}
	}
	p.await("the bot has said its environment", func() bool {
		text, _ := os.ReadFile(filepath.Join(dir, "environment"))
		return strings.Contains(string(text), "\ncwd=")
	})
	if text, _ := os.ReadFile(filepath.Join(dir, "environment")); strings.Contains(string(text), "NOTIFY_SOCKET") {
		t.Error("the bot has got the socket")
	}
	p.cmd.Process.Signal(syscall.SIGTERM)
	for !seen["STOPPING=1"] {
		read()
	}
	if code := p.end(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}
