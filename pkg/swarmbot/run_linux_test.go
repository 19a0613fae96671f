package swarmbot_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"gobuild/pkg/hint"
	"gobuild/pkg/supervise"
	"gobuild/pkg/swarmbot"
	"gobuild/pkg/swarmbot/bottest"
)

// running is a bot that runs until the test ends.
type running struct {
	*swarmbot.Bot
	t    *testing.T
	dir  string
	stop context.CancelFunc
	done chan error
}

// run starts a bot of the given mode.
func run(t *testing.T, o swarmbot.Options, mode string) *running {
	t.Helper()
	o.Environ = append(os.Environ(), "BOT_MODE="+mode)
	bot, err := swarmbot.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r := &running{bot, t, o.WorkDir, cancel, make(chan error, 1)}
	go func() { r.done <- bot.Run(ctx) }()
	t.Cleanup(func() {
		r.end()
		bot.Close()
		r.noOrphans()
	})
	return r
}

// end stops the bot and returns how long that took.
func (r *running) end() time.Duration {
	r.t.Helper()
	start := time.Now()
	r.stop()
	select {
	case err := <-r.done:
		if err != nil {
			r.t.Errorf("Run: %v", err)
		}
	case <-time.After(patience):
		r.t.Fatal("Run does not return")
	}
	r.done <- nil
	return time.Since(start)
}

// await waits until the bot's status is as wanted.
func (r *running) await(what string, cond func(supervise.Status) bool) supervise.Status {
	r.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		st := r.Status()
		if cond(st) {
			return st
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("not within %s: %s; status %+v", patience, what, st)
		}
	}
}

// numbers returns the process numbers in a file of the work directory.
func (r *running) numbers(name string) (list []int) {
	text, _ := os.ReadFile(filepath.Join(r.dir, name))
	for _, word := range strings.Fields(string(text)) {
		pid, err := strconv.Atoi(word)
		if err != nil {
			r.t.Errorf("%s holds %q", name, word)
		}
		list = append(list, pid)
	}
	return list
}

// begun waits until the bot itself has started so many times.
func (r *running) begun(times int) {
	r.t.Helper()
	r.await(fmt.Sprintf("started %d times", times), func(supervise.Status) bool { return len(r.numbers("starts")) >= times })
}

// noOrphans checks that nothing of the bot lives, and that there was no second.
func (r *running) noOrphans() {
	for _, name := range []string{"starts", "children"} {
		for _, pid := range r.numbers(name) {
			if livesOn(pid) {
				r.t.Errorf("process %d of %s lives on", pid, name)
			}
		}
	}
	if _, err := os.Stat(filepath.Join(r.dir, "second")); err == nil {
		r.t.Error("a second bot was started")
	}
}

// livesOn reports whether a process is still alive a while later: one that was
// killed may take some milliseconds to go.
func livesOn(pid int) bool {
	for deadline := time.Now().Add(2 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if !alive(pid) {
			return false
		}
	}
	return true
}

func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return syscall.Kill(pid, 0) == nil && !os.IsNotExist(err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z") && !strings.HasPrefix(rest, "X")
}

// pythonOptions returns those of a bot that Python runs.
func pythonOptions(t *testing.T) swarmbot.Options {
	o := options(t, bottest.Start(t, bottest.Zip()))
	o.Python = bottest.Python(t)
	return o
}

func TestEnvironment(t *testing.T) {
	o := pythonOptions(t)
	r := run(t, o, "idle")
	var text []byte
	r.await("has said its environment", func(supervise.Status) bool {
		text, _ = os.ReadFile(filepath.Join(o.WorkDir, "environment"))
		return strings.Contains(string(text), "\ncwd=")
	})
	env := map[string]string{}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		env[name] = value
	}
	for name, want := range map[string]string{"SWARMING_BOT_ID": host, "LUCI_MACHINE_TOKEN": o.TokenFile, "cwd": o.WorkDir} {
		if env[name] != want {
			t.Errorf("%s=%q, want %q", name, env[name], want)
		}
	}
	bundle, err := os.ReadFile(env["REQUESTS_CA_BUNDLE"])
	own, _ := os.ReadFile(o.CAFile)
	if err != nil || !strings.Contains(string(bundle), strings.TrimSpace(string(own))) {
		t.Errorf("REQUESTS_CA_BUNDLE=%s: %v, or without the farm's CA", env["REQUESTS_CA_BUNDLE"], err)
	}
}

// Exits that a bot may have, and what they are taken for.
func TestVerdicts(t *testing.T) {
	for _, tt := range []struct {
		mode, why string
		failed    bool
	}{
		{"exit0", "the server told it to", false},
		{"exit3", "it crashed: exit status 3", true},
		{"crash", "its last complaint: ValueError: the bot's own error", true},
		{"reboot", "for the reboot that it asked for: sudo -n /sbin/shutdown -r now (Periodic reboot)", false},
	} {
		t.Run(tt.mode, func(t *testing.T) {
			r := run(t, pythonOptions(t), tt.mode)
			st := r.await("ended", func(st supervise.Status) bool { return st.LastEnd != "" })
			if !strings.Contains(st.LastEnd, tt.why) || st.Failures > 0 != tt.failed {
				t.Errorf("failures %d, %q, want %q", st.Failures, st.LastEnd, tt.why)
			}
			r.begun(2) // it is tried again
		})
	}
}

func TestKilledBotIsRestarted(t *testing.T) {
	r := run(t, pythonOptions(t), "family")
	r.begun(1)
	r.await("has children", func(supervise.Status) bool { return len(r.numbers("children")) == 2 })
	syscall.Kill(r.numbers("starts")[0], syscall.SIGKILL)
	r.begun(2)
	st := r.await("counted", func(st supervise.Status) bool { return st.Strays >= 2 })
	if !strings.Contains(st.LastEnd, "it was killed: signal: killed") {
		t.Errorf("taken for %q", st.LastEnd)
	}
	for _, pid := range r.numbers("children")[:2] {
		if livesOn(pid) {
			t.Errorf("child %d lives on", pid)
		}
	}
}

// A signal from outside ends a bot with exit code 0; it comes back.
func TestSignalledBotIsRestarted(t *testing.T) {
	r := run(t, pythonOptions(t), "idle")
	r.begun(1)
	st := r.await("runs", func(st supervise.Status) bool { return st.Up() })
	time.Sleep(200 * time.Millisecond) // for its log to be found
	syscall.Kill(st.Pid, syscall.SIGTERM)
	r.begun(2)
	if st := r.Status(); st.Failures != 0 || !strings.Contains(st.LastEnd, "somebody sent it a signal") {
		t.Errorf("failures %d, %q", st.Failures, st.LastEnd)
	}
}

func TestSelfUpdate(t *testing.T) {
	r := run(t, pythonOptions(t), "update")
	updates := func(st supervise.Status) float64 {
		for _, fact := range st.Facts {
			if fact.Metric == "self_updates" {
				return fact.Value
			}
		}
		return -1
	}
	st := r.await("updated itself", func(st supervise.Status) bool { return updates(st) == 1 })
	if st.Starts != 1 || st.LastEnd != "" || !st.Up() {
		t.Errorf("the update was taken for a restart: %+v", st)
	}
	r.begun(2)
	if pids := r.numbers("starts"); len(pids) != 2 || pids[0] != pids[1] {
		t.Errorf("processes %v, want one twice", pids)
	}
}

// A bot that runs may be of no use; its log tells.
func TestTrouble(t *testing.T) {
	o := pythonOptions(t)
	notices := filepath.Join(t.TempDir(), "notices")
	o.Notices = supervise.Notices{Command: `echo "$GOBUILD_EVENT $GOBUILD_WHY" >>` + notices, After: 5 * time.Second}
	r := run(t, o, "noauth")
	r.await("not let in", func(st supervise.Status) bool { return strings.Contains(st.Trouble, "HTTP status 401") })
	r.await("the owner was told", func(supervise.Status) bool {
		text, _ := os.ReadFile(notices)
		return strings.HasSuffix(string(text), "\n")
	})
	if err := os.WriteFile(filepath.Join(o.WorkDir, "let-in"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	r.await("let in", func(st supervise.Status) bool { return st.Up() && st.DownSince.IsZero() })
	r.await("the owner was told twice", func(supervise.Status) bool {
		text, _ := os.ReadFile(notices)
		return strings.HasPrefix(string(text), "dead Swarming does not let the bot in: HTTP status 401\n") && strings.Contains(string(text), "\nrecovered")
	})
	r = run(t, pythonOptions(t), "quarantine")
	r.await("quarantined", func(st supervise.Status) bool { return st.Trouble == "quarantined: > 1024 files in TEMP (/tmp)" })
}

// Told to end at any stage, the bot ends with all that it has started.
func TestStopAtEveryStage(t *testing.T) {
	hang := func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	for _, tt := range []struct {
		name, mode string
		ready      func(r *running)
		limit      time.Duration // of the bot
		most       time.Duration // that it may take in all
	}{
		{"downloading", "idle", func(r *running) { time.Sleep(100 * time.Millisecond) }, patience, promptly},
		{"before its handler", "early", func(r *running) {
			r.await("runs", func(st supervise.Status) bool { return st.State == supervise.Running })
			time.Sleep(100 * time.Millisecond)
		}, patience, promptly},
		{"idle", "idle", func(r *running) { r.begun(1) }, patience, promptly},
		{"with children", "family", func(r *running) {
			r.await("has children", func(supervise.Status) bool { return len(r.numbers("children")) == 2 })
		}, patience, promptly},
		{"slow to stop", "slowstop", func(r *running) {
			r.begun(1)
			time.Sleep(100 * time.Millisecond)
		}, patience, promptly},
		{"deaf", "deaf,family", func(r *running) {
			r.await("has children", func(supervise.Status) bool { return len(r.numbers("children")) == 2 })
		}, 300 * time.Millisecond, promptly},
		{"backing off", "exit3", func(r *running) {
			r.await("backs off", func(st supervise.Status) bool { return st.State == supervise.BackingOff })
		}, patience, promptly},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := bottest.Start(t, bottest.Zip())
			o := options(t, s)
			o.Python, o.StopWait, o.DownloadWait = bottest.Python(t), tt.limit, patience
			if tt.name == "downloading" {
				s.SetFault(hang)
			}
			if tt.name == "backing off" {
				o.Backoff.Min, o.Backoff.Max = patience, patience
			}
			r := run(t, o, tt.mode)
			tt.ready(r)
			if took := r.end(); took > tt.most {
				t.Errorf("took %s", took)
			}
			if st := r.Status(); st.State != supervise.Stopped || st.Pid != 0 {
				t.Errorf("status %+v", st)
			}
			r.noOrphans()
		})
	}
}

// A second call kills what does not end.
func TestKill(t *testing.T) {
	o := pythonOptions(t)
	o.StopWait = time.Hour
	r := run(t, o, "deaf")
	r.begun(1)
	r.stop()
	time.Sleep(50 * time.Millisecond)
	r.Kill()
	if took := r.end(); took > promptly {
		t.Errorf("took %s", took)
	}
}

func TestTwoInstances(t *testing.T) {
	o := options(t, bottest.Start(t, bottest.Zip()))
	first, err := swarmbot.New(o)
	if err != nil {
		t.Fatal(err)
	}
	_, err = swarmbot.New(o)
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("locked by process %d", os.Getpid())) || hint.Of(err) == "" {
		t.Errorf("error %v", err)
	}
	first.Close()
	again, err := swarmbot.New(o)
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
}

// A bot that somebody else has started in the directory is left alone.
func TestForeignBot(t *testing.T) {
	o := options(t, bottest.Start(t, bottest.Zip()))
	o.Python = bottest.Python(t)
	if err := os.MkdirAll(o.WorkDir, 0o755); err != nil {
		t.Fatal(err)
	}
	foreign := exec.Command(o.Python, "-c", `import fcntl, os, sys, time
f = open("swarming.lck", "w"); fcntl.flock(f, fcntl.LOCK_EX); f.write(str(os.getpid())); f.flush(); print("held", flush=True); time.sleep(600)`)
	foreign.Dir = o.WorkDir
	out, err := foreign.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := foreign.Start(); err != nil {
		t.Fatal(err)
	}
	defer foreign.Wait()
	defer foreign.Process.Kill()
	out.Read(make([]byte, 5))
	err = once(t, o)
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("process %d holds swarming.lck", foreign.Process.Pid)) {
		t.Errorf("error %v", err)
	}
}

// A bot that the last run-bot left when it was killed itself is ended first.
func TestLeftBehind(t *testing.T) {
	o := pythonOptions(t)
	o.Environ = append(os.Environ(), "BOT_MODE=idle")
	bot, err := swarmbot.New(o)
	if err != nil {
		t.Fatal(err)
	}
	bot.Close()
	left := exec.Command("sleep", "600")
	left.Env = append(os.Environ(), swarmbot.Mark(bot))
	if err := left.Start(); err != nil {
		t.Fatal(err)
	}
	reaped := make(chan struct{})
	go func() {
		left.Wait()
		close(reaped)
	}()
	r := run(t, o, "idle")
	r.begun(1)
	select {
	case <-reaped:
	default:
		t.Error("it was not ended before the new one started")
		left.Process.Kill()
		<-reaped
	}
	if st := r.Status(); st.Strays != 1 {
		t.Errorf("%d strays", st.Strays)
	}
}

func TestChecks(t *testing.T) {
	damaged := filepath.Join(t.TempDir(), "damaged.json")
	if err := os.WriteFile(damaged, []byte(`{"luci_machine_token": "abc`), 0o644); err != nil {
		t.Fatal(err)
	}
	s := bottest.Start(t, bottest.Zip())
	home, _ := os.UserHomeDir()
	old := func(version string) string {
		file := filepath.Join(t.TempDir(), "python3")
		if err := os.WriteFile(file, []byte("#!/bin/sh\necho '"+version+"'\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		return file
	}
	empty := filepath.Join(t.TempDir(), "empty.json")
	if err := os.WriteFile(empty, []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name       string
		change     func(o *swarmbot.Options)
		text, hint string
	}{
		{"no name", func(o *swarmbot.Options) { o.Hostname = "" }, "no name", "--hostname"},
		{"domain in name", func(o *swarmbot.Options) { o.Hostname = fqdn }, "has a dot", host},
		{"home", func(o *swarmbot.Options) { o.WorkDir = home }, "is the home directory", ".swarming"},
		{"URL", func(o *swarmbot.Options) { o.Swarming = "https://x.example" }, "bad Swarming server", "HOST:PORT"},
		{"no certificate", func(o *swarmbot.Options) { o.CertFile = empty + "x" }, "emptyx", ""},
		{"no token", func(o *swarmbot.Options) { o.TokenFile = empty + "x" }, "empty.jsonx", "gobuild tokend"},
		{"empty token", func(o *swarmbot.Options) { o.TokenFile = empty }, "holds no machine token", "gobuild tokend"},
		{"damaged token file", func(o *swarmbot.Options) { o.TokenFile = damaged }, "token file " + damaged, ""},
		{"expired", func(o *swarmbot.Options) { o.TokenFile = bottest.TokenFile(t, fqdn, -time.Hour) }, "expired 1h0m", "gobuild tokend"},
		{"nearly expired", func(o *swarmbot.Options) { o.TokenFile = bottest.TokenFile(t, fqdn, 9*time.Minute) }, "the bot wants 10m0s", "gobuild tokend"},
		{"other machine's token", func(o *swarmbot.Options) {
			o.TokenFile = bottest.TokenFile(t, "linux-arm-x.bots.golang.org", time.Hour)
		}, "is for linux-arm-x.bots.golang.org", "--hostname"},
		{"no Python", func(o *swarmbot.Options) { o.Python = "no-such-python" }, "no-such-python", "--python"},
		{"old Python", func(o *swarmbot.Options) { o.Python = old("3 6 15 tls") }, "Python 3.6.15, too old", "3.7 to 3.13"},
		{"Python 2", func(o *swarmbot.Options) { o.Python = old("2 7 18 tls") }, "Python 2.7.18, too old", "3.7 to 3.13"},
		{"new Python", func(o *swarmbot.Options) { o.Python = old("3 15 0 tls") }, "no bot has run", "3.7 to 3.13"},
		{"Python without TLS", func(o *swarmbot.Options) { o.Python = old("3 12 0 no-tls") }, "ssl module", "3.7 to 3.13"},
		{"no Python at all", func(o *swarmbot.Options) { o.Python = "/bin/echo" }, "is no Python", "3.7 to 3.13"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := options(t, s)
			tt.change(&o)
			bot, err := swarmbot.New(o)
			if err == nil {
				err = bot.RunOnce(t.Context())
				bot.Close()
			}
			if err == nil || !strings.Contains(err.Error(), tt.text) && tt.name != "no certificate" || !strings.Contains(hint.Of(err), tt.hint) {
				t.Errorf("error %v\nhint %s\nwant %q, %q", err, hint.Of(err), tt.text, tt.hint)
			}
		})
	}
	t.Run("root", func(t *testing.T) {
		if os.Geteuid() != 0 {
			t.Skip("not root")
		}
		o := options(t, s)
		o.AllowRoot = false
		if _, err := swarmbot.New(o); err == nil || !strings.Contains(hint.Of(err), "--allow-root") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("several bots", func(t *testing.T) {
		o := options(t, s)
		o.Hostname = host + "--02"
		if err := once(t, o); err != nil {
			t.Error(err)
		}
	})
}

// The status is a page, a JSON object, metrics and a probe.
func TestHealth(t *testing.T) {
	r := run(t, pythonOptions(t), "quarantine")
	r.await("quarantined", func(st supervise.Status) bool { return st.Trouble != "" })
	addr := listen(t, &http.Server{Handler: supervise.Handler(r.Status)})
	get := func(path string) (int, string) {
		resp, err := http.Get("http://" + addr + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		defer http.DefaultClient.CloseIdleConnections()
		var text strings.Builder
		if _, err := io.Copy(&text, resp.Body); err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, text.String()
	}
	if code, text := get("/healthz"); code != 503 || !strings.Contains(text, "1024 files in TEMP") {
		t.Errorf("healthz: %d %s", code, text)
	}
	if _, text := get("/metrics"); !strings.Contains(text, "gobuild_worker_up 0\n") || !strings.Contains(text, `gobuild_worker_state{state="running"} 1`) {
		t.Errorf("metrics: %s", text)
	}
	if _, text := get("/"); !strings.Contains(text, "&gt; 1024 files in TEMP") || strings.Contains(text, "<no value>") {
		t.Errorf("page: %s", text)
	}
	var st supervise.Status
	if _, text := get("/status.json"); json.Unmarshal([]byte(text), &st) != nil || st.State != supervise.Running {
		t.Errorf("status.json: %s", text)
	}
	if code, _ := get("/other"); code != 404 {
		t.Errorf("other: %d", code)
	}
}
