//go:build unix

package supervise

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"gobuild/pkg/hint"
)

// patience bounds the wait for what should take no time.
const patience = 30 * time.Second

func TestMain(m *testing.M) {
	if file := os.Getenv("SUPERVISE_TEST_LOCK"); file != "" {
		if _, err := Lock(file); err != nil {
			os.Exit(3)
		}
		os.Stdout.WriteString("locked\n")
		time.Sleep(patience)
		return
	}
	goleak.VerifyTestMain(m)
}

// shell returns a Supervisor of a shell command.
func shell(line string, change func(*Options)) *Supervisor {
	o := Options{
		Name:     "test",
		Prepare:  func(context.Context) (*exec.Cmd, error) { return exec.Command("/bin/sh", "-c", line), nil },
		Judge:    func(e Exit) Verdict { return Verdict{Why: "it ended", Failed: e.Err != nil} },
		StopWait: 5 * time.Second,
		Settle:   50 * time.Millisecond,
		Backoff:  Backoff{Min: 10 * time.Millisecond, Max: 20 * time.Millisecond, Budget: 3, Rest: time.Hour},
		Getenv:   func(string) string { return "" },
		Log:      slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&o)
	}
	return New(o)
}

// begin runs s until the test ends.
func begin(t *testing.T, s *Supervisor) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := s.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	t.Cleanup(func() {
		cancel()
		select {
		case <-done:
		case <-time.After(patience):
			t.Error("Run does not return")
		}
	})
}

func await(t *testing.T, s *Supervisor, what string, cond func(Status) bool) Status {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(2 * time.Millisecond) {
		st := s.Status()
		if cond(st) {
			return st
		}
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s; %+v", patience, what, st)
		}
	}
}

func TestGivenUp(t *testing.T) {
	s := shell("exit 7", nil)
	begin(t, s)
	st := await(t, s, "given up", func(st Status) bool { return st.State == GivenUp })
	if st.Starts != 3 || st.Failures != 3 || !strings.Contains(st.Why, "3 times in a row, last: it ended") || time.Until(st.NextTry) < 40*time.Minute {
		t.Errorf("status %+v", st)
	}
}

// What a program lacks may come at any time.
func TestUnreadyIsNotGivenUp(t *testing.T) {
	good := filepath.Join(t.TempDir(), "good")
	s := shell("", func(o *Options) {
		o.Prepare = func(context.Context) (*exec.Cmd, error) {
			_, err := os.Stat(good)
			return exec.Command("/bin/sleep", "60"), err
		}
	})
	begin(t, s)
	await(t, s, "failed 5 times", func(st Status) bool { return st.Failures > 5 && st.State != GivenUp })
	if err := os.WriteFile(good, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	await(t, s, "runs", Status.Up)
}

func TestSettled(t *testing.T) {
	s := shell("sleep 0.3; exit 7", nil)
	begin(t, s)
	st := await(t, s, "ended 5 times", func(st Status) bool { return st.Starts > 5 })
	if st.State == GivenUp || st.Row > 1 {
		t.Errorf("a program that ran well is given up: %+v", st)
	}
}

func TestPrepareFails(t *testing.T) {
	bad := hint.With(errors.New("no such thing"), "buy one")
	s := shell("", func(o *Options) {
		o.Prepare = func(context.Context) (*exec.Cmd, error) { return nil, bad }
	})
	if err := s.RunOnce(t.Context()); !errors.Is(err, bad) {
		t.Errorf("error %v", err)
	}
	s = shell("", func(o *Options) {
		o.Prepare = func(context.Context) (*exec.Cmd, error) { return exec.Command("/no/such/program"), nil }
	})
	if err := s.RunOnce(t.Context()); err == nil || !strings.Contains(err.Error(), "start test: ") {
		t.Errorf("error %v", err)
	}
}

// What stays behind holds the output open, and keeps nobody waiting.
func TestOutputHeldOpen(t *testing.T) {
	var out strings.Builder
	s := shell("", func(o *Options) {
		o.Mark = "SUPERVISE_TEST=" + t.Name()
		o.Prepare = func(context.Context) (*exec.Cmd, error) {
			cmd := exec.Command("/bin/sh", "-c", "sleep 60 & echo said")
			cmd.Stdout = &out
			return cmd, nil
		}
	})
	start := time.Now()
	if err := s.RunOnce(t.Context()); err != nil || out.String() != "said\n" || time.Since(start) > 20*time.Second {
		t.Errorf("%v, %q after %s", err, out.String(), time.Since(start))
	}
	if left := Marked("SUPERVISE_TEST=" + t.Name()); len(left) > 0 {
		t.Errorf("processes %v live on", left)
	}
}

func TestNotices(t *testing.T) {
	got := make(chan Notice, 9)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var n Notice
		if err := json.NewDecoder(r.Body).Decode(&n); err != nil || r.Method != "POST" {
			t.Errorf("%s: %v", r.Method, err)
		}
		got <- n
	}))
	defer web.Close()
	defer http.DefaultClient.CloseIdleConnections()
	dir := t.TempDir()
	good, file := filepath.Join(dir, "good"), filepath.Join(dir, "told")
	s := shell("test -e "+good+" && exec sleep 60; exit 1", func(o *Options) {
		o.Backoff.Budget = 0
		o.Notices = Notices{URL: web.URL, Command: "cat >>" + file, After: 200 * time.Millisecond}
	})
	begin(t, s)
	n := <-got
	if n.Event != "dead" || n.Name != "test" || n.Since.IsZero() || !strings.Contains(n.Text, "has done no work since") {
		t.Errorf("notice %+v", n)
	}
	time.Sleep(500 * time.Millisecond)
	if len(got) > 0 {
		t.Errorf("told again: %+v", <-got)
	}
	if err := os.WriteFile(good, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if n := <-got; n.Event != "recovered" || n.State != Running {
		t.Errorf("notice %+v", n)
	}
	text, _ := os.ReadFile(file)
	if lines := strings.Count(string(text), "\n"); lines != 2 {
		t.Errorf("the command was told %d lines: %s", lines, text)
	}
}

// The URL of a webhook is often a secret.
func TestNoticeHidesURL(t *testing.T) {
	n := Notices{URL: "http://127.0.0.1:1/secret"}
	err := n.try(t.Context(), Notice{})
	if err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("error %v", err)
	}
	n = Notices{Command: "echo broken >&2; exit 3"}
	if err := n.try(t.Context(), Notice{}); err == nil || !strings.Contains(err.Error(), "exit status 3: broken") {
		t.Errorf("error %v", err)
	}
}

func TestLock(t *testing.T) {
	file := filepath.Join(t.TempDir(), "lock")
	if Locked(file) {
		t.Error("locked before it is there")
	}
	other := exec.Command(os.Args[0])
	other.Env = append(os.Environ(), "SUPERVISE_TEST_LOCK="+file)
	out, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	out.Read(make([]byte, 7))
	if _, err := Lock(file); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), "process "+strconv.Itoa(other.Process.Pid)) || hint.Of(err) == "" {
		t.Errorf("error %v", err)
	}
	if !Locked(file) {
		t.Error("not locked")
	}
	other.Process.Kill()
	other.Wait()
	release, err := Lock(file)
	if err != nil {
		t.Fatal(err)
	}
	if got := LockHolder(file); got != os.Getpid() {
		t.Errorf("holder %d", got)
	}
	release()
	if Locked(file) {
		t.Error("locked after its release")
	}
	if _, err := Lock(filepath.Join(file, "none")); err == nil || errors.Is(err, ErrLocked) {
		t.Errorf("error %v", err)
	}
}

func TestBackoff(t *testing.T) {
	b := Backoff{Min: time.Second, Max: 10 * time.Second, Budget: 7, Rest: time.Hour}
	for failures, want := range []time.Duration{time.Second, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 10 * time.Second, 10 * time.Second, time.Hour, 10 * time.Second} {
		got, givenUp := b.pause(failures)
		if got < want*8/10 || got > want*12/10 || givenUp != (want == time.Hour) {
			t.Errorf("after %d failures %s, given up %v; want about %s", failures, got, givenUp, want)
		}
	}
	for _, failures := range []int{1000, 1 << 30} {
		if got, _ := b.pause(failures); got < 8*time.Second {
			t.Errorf("after %d failures %s", failures, got)
		}
	}
}

func TestNotifierWatchdog(t *testing.T) {
	for _, tt := range []struct {
		usec, pid string
		want      time.Duration
	}{{"", "", 0}, {"3000000", "", 3 * time.Second}, {"3000000", "42", 3 * time.Second}, {"3000000", "41", 0}, {"x", "", 0}, {"-5", "", 0}} {
		env := map[string]string{"WATCHDOG_USEC": tt.usec, "WATCHDOG_PID": tt.pid}
		if got := newNotifier(func(name string) string { return env[name] }, 42).watchdog; got != tt.want {
			t.Errorf("%+v: got %s", tt, got)
		}
	}
}
