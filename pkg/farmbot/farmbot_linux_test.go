package farmbot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gobuild/pkg/buildlet"
	"gobuild/pkg/diskspace"
	"gobuild/pkg/supervise"
	"gobuild/pkg/supervise/control"
)

// patience bounds the wait for what takes moments.
const patience = 30 * time.Second

// TestMain also is the buildlets of these tests: programs that say what a
// buildlet says, and do what the file at FARMBOT_TEST_DO says.
func TestMain(m *testing.M) {
	switch os.Getenv("FARMBOT_TEST_AS") {
	case "gobuild":
		os.Exit(actGobuild())
	case "upstream":
		os.Exit(actUpstream())
	}
	os.Exit(m.Run())
}

// do returns what the test wants the buildlet to do.
func do() []string {
	text, _ := os.ReadFile(os.Getenv("FARMBOT_TEST_DO"))
	return strings.Fields(string(text))
}

func actGobuild() int {
	if slices.Contains(os.Args, "-version") {
		fmt.Println("buildlet version 30\nbuilt with go\ngobuild 1.0")
		return 0
	}
	r := buildlet.Report{State: buildlet.Connecting, Since: time.Now(), Claims: !slices.Contains(do(), "deaf")}
	var mu sync.Mutex
	tell := func() {
		text, _ := json.Marshal(r)
		fmt.Println(string(text))
	}
	go func() {
		dec := json.NewDecoder(os.Stdin)
		for {
			var o buildlet.Order
			if err := dec.Decode(&o); err != nil {
				os.Exit(0)
			}
			mu.Lock()
			r.Availability = o.Availability
			tell()
			mu.Unlock()
		}
	}()
	for {
		words := do()
		mu.Lock()
		before := r
		switch {
		case slices.Contains(words, "fail"):
			r.Why = "the key is refused"
			tell()
			return 1
		case slices.Contains(words, "die"):
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
		case slices.Contains(words, "leave"):
			return 0
		case slices.Contains(words, "away"):
			r.State, r.Registered, r.Why = buildlet.Connecting, time.Time{}, "the link was lost"
		case slices.Contains(words, "work"):
			r.State, r.Instance = buildlet.Working, "user-x-1"
		default:
			r.State, r.Instance, r.Why = buildlet.Idle, "", ""
		}
		if slices.Contains(words, "fork") && r.Commands == 0 {
			r.Commands = 1
			for range 60 {
				exec.Command("/bin/sleep", "600").Start()
			}
		}
		if r.State != buildlet.Connecting && r.Registered.IsZero() {
			r.Registered = time.Now()
		}
		if r != before {
			tell()
		}
		if r.Availability.State == buildlet.Draining && r.State != buildlet.Working {
			return 0
		}
		mu.Unlock()
		time.Sleep(5 * time.Millisecond)
	}
}

func actUpstream() int {
	if slices.Contains(os.Args, "-version") {
		fmt.Println("buildlet version 30 (linux-amd64)\nbuilt with go")
		return 0
	}
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	fmt.Fprintln(os.Stderr, "2026/01/01 00:00:00 Connected to coordinator; reverse dialing active")
	works := false
	for {
		switch now := slices.Contains(do(), "work"); {
		case now && !works:
			fmt.Fprintln(os.Stderr, "2026/01/01 00:00:00 [0xc000123] Running /bin/x with args")
			works = true
		case !now && works:
			fmt.Fprintln(os.Stderr, "2026/01/01 00:00:00 [0xc000123] Run = exit 0, after 1s")
			works = false
		}
		select {
		case <-term:
			return 0
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// testBot returns a Bot of which nothing runs yet.
func testBot(t *testing.T, change func(*Options)) *Bot {
	t.Helper()
	dir := t.TempDir()
	o := Options{
		HostType: "host-test", Hostname: "machine", Coordinator: "127.0.0.1:1", Dir: filepath.Join(dir, "bot"),
		Program:     []string{os.Args[0], "buildlet"},
		MinFreeDisk: Amount{Given: true}, RegisterWithin: time.Hour,
		StopWait: 10 * time.Second, Settle: 10 * time.Millisecond,
		Backoff: supervise.Backoff{Min: 10 * time.Millisecond, Max: 20 * time.Millisecond},
		Output:  testWriter{t},
		Getenv:  func(string) string { return "" },
		Environ: append(os.Environ(), "FARMBOT_TEST_AS=gobuild", "FARMBOT_TEST_DO="+filepath.Join(dir, "do"), "GORACE=atexit_sleep_ms=0"),
		Log:     slog.New(slog.NewTextHandler(testWriter{t}, nil)),
	}
	if change != nil {
		change(&o)
	}
	b, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Logf("%s", p)
	return len(p), nil
}

// farm is a Bot that runs.
type farm struct {
	*Bot
	t    *testing.T
	stop context.CancelFunc
	done chan error
}

func begin(t *testing.T, change func(*Options)) *farm {
	t.Helper()
	b := testBot(t, change)
	ctx, cancel := context.WithCancel(t.Context())
	f := &farm{b, t, cancel, make(chan error, 1)}
	go func() { f.done <- b.Run(ctx) }()
	t.Cleanup(func() {
		f.end()
		if left := supervise.Marked(b.mark); len(left) > 0 {
			t.Errorf("processes %v live on", left)
		}
	})
	return f
}

// end has it end, if it has not yet.
func (f *farm) end() {
	f.stop()
	f.ended()
}

// ended waits for its end.
func (f *farm) ended() {
	f.t.Helper()
	select {
	case err := <-f.done:
		if err != nil {
			f.t.Error(err)
		}
		f.done <- nil
	case <-time.After(patience):
		f.t.Fatal("Run does not return")
	}
}

// do tells the buildlet what to do.
func (f *farm) do(what string) {
	f.t.Helper()
	if err := os.WriteFile(filepath.Join(filepath.Dir(f.opts.Dir), "do"), []byte(what), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

func (f *farm) await(what string, cond func(supervise.Status) bool) supervise.Status {
	f.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(2 * time.Millisecond) {
		st := f.Status()
		if st.Phase != nil && cond(st) { // there is none before the first look
			return st
		}
		if time.Now().After(deadline) {
			f.t.Fatalf("not within %s: %s; %+v, phase %+v", patience, what, st, st.Phase)
		}
	}
}

func (f *farm) phase(name supervise.PhaseName) supervise.Status {
	f.t.Helper()
	return f.await(string(name), func(st supervise.Status) bool { return st.Phase != nil && st.Phase.Name == name })
}

func (f *farm) want(w control.Wish) string {
	f.t.Helper()
	client, err := control.NewClient(f.state)
	if err != nil {
		f.t.Fatal(err)
	}
	w.By = control.Owner
	reply, err := client.SetWish(f.t.Context(), w)
	if err != nil {
		f.t.Fatal(err)
	}
	return reply.Text
}

// The phases follow what the buildlet tells.
func TestPhases(t *testing.T) {
	f := begin(t, nil)
	st := f.phase(supervise.Idle)
	if !st.Up() || st.Line() != "idle" {
		t.Errorf("status %+v", st)
	}
	f.do("work")
	if st := f.phase(supervise.Working); !st.Up() || st.Phase.Why != "instance user-x-1" {
		t.Errorf("status %+v, phase %+v", st, st.Phase)
	}
	f.do("away")
	f.await("trouble", func(st supervise.Status) bool {
		return st.Phase.Name == supervise.Connecting && st.Phase.Why == "the link was lost" && st.Trouble == "the link was lost" && !st.Up()
	})
	f.do("")
	f.await("works again", supervise.Status.Up)
	f.do("fail")
	if st := f.phase(supervise.Dead); !strings.Contains(st.Phase.Why, "the key is refused") {
		t.Errorf("phase %+v", st.Phase)
	}
	f.do("")
	f.phase(supervise.Idle)
}

// A buildlet that takes orders runs on in a pause, and the pause ends by
// itself.
func TestPause(t *testing.T) {
	f := begin(t, nil)
	pid := f.phase(supervise.Idle).Pid
	f.do("work")
	f.phase(supervise.Working)
	until := time.Now().Add(3 * time.Second)
	if text := f.want(control.Wish{State: control.Paused, Until: until, Why: "fan"}); !strings.HasPrefix(text, "finishing instance user-x-1, then paused until ") {
		t.Errorf("answer %q", text)
	}
	if st := f.phase(supervise.Paused); st.Pid != pid || !st.Up() || !strings.Contains(st.Phase.Why, "by its owner: fan") {
		t.Errorf("status %+v, phase %+v", st, st.Phase)
	}
	f.do("")
	if st := f.phase(supervise.Idle); st.Pid != pid || time.Now().Before(until) {
		t.Errorf("status %+v at %s, the pause is until %s", st, time.Now(), until)
	}
	if w, err := control.Load(f.state); err != nil || w.State != control.Open {
		t.Errorf("kept %+v, %v", w, err)
	}
}

// What is wished outlives run-bot: a pause as it is, a drain as a stay without
// work.
func TestWishIsKept(t *testing.T) {
	f := begin(t, nil)
	f.phase(supervise.Idle)
	f.want(control.Wish{State: control.Paused})
	f.phase(supervise.Paused)
	f.end()
	f.Close()
	f = begin(t, func(o *Options) { o.Dir = f.opts.Dir })
	f.phase(supervise.Paused)
	f.want(control.Wish{State: control.Open})
	f.phase(supervise.Idle)
	if text := f.want(control.Wish{State: control.Draining}); text != "stopping" {
		t.Errorf("answer %q", text)
	}
	f.ended()
	f.Close()
	f = begin(t, func(o *Options) { o.Dir = f.opts.Dir })
	f.await("it runs, drained", func(st supervise.Status) bool {
		return st.Pid != 0 && st.Phase.Name == supervise.Paused && strings.HasPrefix(st.Phase.Why, "drained by its owner")
	})
	if text := f.want(control.Wish{State: control.Draining}); !strings.Contains(text, "drained already") {
		t.Errorf("answer %q", text)
	}
	f.want(control.Wish{State: control.Open})
	f.phase(supervise.Idle)
}

// A drain waits for what runs.
func TestDrain(t *testing.T) {
	f := begin(t, nil)
	f.do("work")
	f.phase(supervise.Working)
	if text := f.want(control.Wish{State: control.Draining}); text != "finishing instance user-x-1, then stopping" {
		t.Errorf("answer %q", text)
	}
	f.phase(supervise.Draining)
	f.do("")
	f.ended()
}

// A drain ends also what is not even running.
func TestDrainWhileDead(t *testing.T) {
	f := begin(t, func(o *Options) { o.Backoff = supervise.Backoff{Min: time.Hour, Max: time.Hour} })
	f.do("fail")
	f.phase(supervise.Dead)
	f.want(control.Wish{State: control.Draining})
	f.ended()
}

// Upstream's buildlet cannot tell its coordinator: it is ended for a pause,
// after what it does. The same goes for ours at upstream's coordinator.
func TestPauseOfUpstreams(t *testing.T) {
	script := filepath.Join(t.TempDir(), "upstream")
	for _, tt := range []struct {
		name   string
		change func(*Options)
		deaf   string
	}{
		{"upstream's buildlet", func(o *Options) {
			o.File = script
			o.Environ = append(o.Environ, "FARMBOT_TEST_AS=upstream")
		}, ""},
		{"upstream's coordinator", func(*Options) {}, "deaf "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := os.Remove(script); err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
			if err := os.Symlink(os.Args[0], script); err != nil {
				t.Fatal(err)
			}
			do := filepath.Join(t.TempDir(), "do")
			say := func(text string) {
				if err := os.WriteFile(do, []byte(tt.deaf+text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			say("work")
			f := begin(t, func(o *Options) {
				o.Environ = append(o.Environ, "FARMBOT_TEST_DO="+do)
				tt.change(o)
			})
			f.phase(supervise.Working)
			f.want(control.Wish{State: control.Paused})
			time.Sleep(1500 * time.Millisecond) // a look or two
			if st := f.Status(); st.State != supervise.Running {
				t.Errorf("it was not let finish: %+v", st)
			}
			say("")
			st := f.await("held", func(st supervise.Status) bool { return st.State == supervise.Held })
			if st.Pid != 0 || !st.Up() {
				t.Errorf("status %+v", st)
			}
			f.phase(supervise.Paused)
			f.want(control.Wish{State: control.Open})
			f.phase(supervise.Idle)
			f.want(control.Wish{State: control.Draining})
			f.ended()
		})
	}
}

// A wish that comes through the coordinator is kept and ordered, once: it
// stands in the reports that follow.
func TestWishThroughCoordinator(t *testing.T) {
	f := begin(t, nil)
	f.phase(supervise.Idle)
	r := buildlet.Report{State: buildlet.Idle, Registered: time.Now(), Claims: true,
		Wish: &buildlet.Availability{State: buildlet.Paused, By: "its owner", Since: time.Now()}}
	line, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	f.sawReport(string(line))
	f.phase(supervise.Paused)
	f.want(control.Wish{State: control.Open})
	f.phase(supervise.Idle)
	f.sawReport(string(line))
	if w := f.Wish(); w.State != control.Open {
		t.Errorf("the old wish came back: %v", w)
	}
}

// fakeUpdater hands out what a test has put there.
type fakeUpdater struct {
	file string
	mu   sync.Mutex
	news string // the next version; empty: none

	confirmed bool
	rolled    string
}

func (u *fakeUpdater) File() string { return u.file }

func (u *fakeUpdater) Fetch(context.Context) (bool, string, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	news := u.news
	if u.news = ""; news != "" {
		u.confirmed = false
	}
	return news != "", news, nil
}

func (u *fakeUpdater) Confirmed() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.confirmed
}

func (u *fakeUpdater) Confirm() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.confirmed = true
	return nil
}

func (u *fakeUpdater) RollBack(why string) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.rolled = why
	u.confirmed = true // the one before was
	return nil
}

func (u *fakeUpdater) is(cond func() bool) func(supervise.Status) bool {
	return func(supervise.Status) bool {
		u.mu.Lock()
		defer u.mu.Unlock()
		return cond()
	}
}

// A newer buildlet takes the place of the present one when that is idle, is
// confirmed once it has registered, and taken back if it never does.
func TestUpdate(t *testing.T) {
	file := filepath.Join(t.TempDir(), "buildlet")
	if err := os.Symlink(os.Args[0], file); err != nil {
		t.Fatal(err)
	}
	u := &fakeUpdater{file: file, news: "v1"}
	f := begin(t, func(o *Options) {
		o.Update, o.UpdateEvery, o.RegisterWithin = u, 100*time.Millisecond, 500*time.Millisecond
	})
	pid := f.phase(supervise.Idle).Pid
	f.await("confirmed", u.is(func() bool { return u.confirmed }))
	f.do("work")
	f.phase(supervise.Working)
	u.mu.Lock()
	u.news = "v2"
	u.mu.Unlock()
	time.Sleep(500 * time.Millisecond)
	if st := f.Status(); st.Pid != pid {
		t.Error("the work was cut off")
	}
	f.do("")
	f.await("another one, confirmed", func(st supervise.Status) bool {
		return st.Pid != pid && st.Pid != 0 && st.Phase.Name == supervise.Idle && u.Confirmed()
	})
	u.mu.Lock()
	u.news = "v3"
	u.mu.Unlock()
	f.do("away")
	f.await("v3 is rolled back", u.is(func() bool { return strings.Contains(u.rolled, "did not register") }))
	f.do("")
	f.phase(supervise.Idle)
	u.mu.Lock()
	u.news, u.rolled = "v4", ""
	u.mu.Unlock()
	f.do("fail")
	f.await("v4 is rolled back", u.is(func() bool { return strings.Contains(u.rolled, "the key is refused") }))
}

// With too little disk the machine is quarantined, and what was left is swept.
func TestFullDisk(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can mount a small file system")
	}
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=32m"); err != nil {
		t.Skipf("no small file system: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	f := begin(t, func(o *Options) {
		o.Dir, o.MinFreeDisk = dir, Amount{Bytes: 8 << 20, Given: true}
		o.Environ = append(o.Environ, "FARMBOT_TEST_DO="+filepath.Join(filepath.Dir(dir), "do"))
	})
	defer f.end() // before the file system goes
	f.phase(supervise.Idle)
	f.do("work")
	f.phase(supervise.Working)
	sub := filepath.Join(f.work, "gocache", "ro")
	if err := os.MkdirAll(sub, 0o755); err != nil {
		t.Fatal(err)
	}
	big, err := os.Create(filepath.Join(sub, "big"))
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := big.Write(make([]byte, 1<<20)); err != nil {
			break
		}
	}
	big.Close()
	os.Chmod(sub, 0o555)
	if err := os.Symlink("/etc", filepath.Join(f.work, "out")); err != nil {
		t.Logf("symlink on a full disk: %v", err)
	}
	if space, _ := diskspace.Of(dir); space.Free > 1<<20 {
		t.Fatalf("%d bytes are free", space.Free)
	}
	f.do("")
	f.await("quarantined or swept", func(st supervise.Status) bool {
		return st.Phase.Name == supervise.Quarantined || f.sweepsDone() > 0
	})
	f.await("swept and open again", func(st supervise.Status) bool {
		return f.sweepsDone() > 0 && st.Phase.Name == supervise.Idle && st.Up()
	})
	if _, err := os.Stat(sub); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s: %v", sub, err)
	}
	if _, err := os.Stat("/etc/passwd"); err != nil {
		t.Fatal(err)
	}
}

func (f *farm) sweepsDone() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.sweeps
}

// A gate that is shut at the start is told before there is work, and opens by
// itself.
func TestGate(t *testing.T) {
	space, ok := diskspace.Of(t.TempDir())
	if !ok {
		t.Fatal("not measured")
	}
	f := begin(t, func(o *Options) { o.MinFreeDisk = Amount{Bytes: space.Total * 2, Given: true} })
	st := f.phase(supervise.Quarantined)
	if st.Up() || !strings.Contains(st.Trouble, "of disk are free") {
		t.Errorf("status %+v", st)
	}
	f.await("the buildlet was told", func(supervise.Status) bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.run.report != nil && f.run.report.Availability.State == buildlet.Quarantined
	})
}

// A work directory that has grown too large is swept when the machine is
// idle, the caches first.
func TestSweep(t *testing.T) {
	f := begin(t, func(o *Options) { o.MaxWorkDir = 2 << 20 })
	f.phase(supervise.Idle)
	f.do("work")
	f.phase(supervise.Working)
	outside := filepath.Join(t.TempDir(), "outside")
	for name, size := range map[string]int{
		filepath.Join(f.work, "gocache", "a"): 3 << 20, filepath.Join(f.work, "go", "b"): 1 << 20, outside: 10,
	} {
		os.MkdirAll(filepath.Dir(name), 0o755)
		if err := os.WriteFile(name, make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Dir(outside), filepath.Join(f.work, "gocache", "link")); err != nil {
		t.Fatal(err)
	}
	f.do("")
	f.await("swept", func(st supervise.Status) bool { return f.sweepsDone() == 1 && st.Phase.Name == supervise.Idle })
	if _, err := os.Stat(filepath.Join(f.work, "gocache")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("gocache: %v", err)
	}
	for _, name := range []string{filepath.Join(f.work, "go", "b"), outside} {
		if _, err := os.Stat(name); err != nil {
			t.Error(err)
		}
	}
}

// When the processes are too many, all but the buildlet are killed.
func TestProcessLimit(t *testing.T) {
	f := begin(t, func(o *Options) { o.MaxProcesses = 20 })
	pid := f.phase(supervise.Idle).Pid
	f.do("work fork")
	f.await("killed", func(supervise.Status) bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.kills > 0
	})
	f.await("few", func(supervise.Status) bool { return len(f.others(pid)) == 0 })
	if st := f.Status(); st.Pid != pid {
		t.Error("the buildlet was killed as well")
	}
	f.mu.Lock()
	t.Log(f.limit)
	f.mu.Unlock()
}

// One at a time works in a directory.
func TestLock(t *testing.T) {
	b := testBot(t, nil)
	o := b.opts
	if _, err := New(o); !errors.Is(err, supervise.ErrLocked) {
		t.Errorf("error %v", err)
	}
}

// A program that is no buildlet is not run.
func TestNoBuildlet(t *testing.T) {
	for file, want := range map[string]string{"/bin/echo": "is no buildlet", "/none": "no such file"} {
		if _, _, err := buildlet.AskVersion(t.Context(), file, os.Environ()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v", file, err)
		}
	}
}

// What a buildlet writes is a stranger's once it was fetched.
func FuzzReport(f *testing.F) {
	f.Add([]byte("{\"state\":\"idle\",\"registered\":\"2026-01-01T00:00:00Z\"}\n"))
	f.Add([]byte("2026/01/01 00:00:00 Connected to coordinator; reverse dialing active\n[0xc000] Running x\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		b := testBot(t, nil)
		(&lines{line: b.sawReport}).Write(text)
		(&lines{line: b.sawLog}).Write(text)
		b.books(b.began)
		if p := b.Status().Phase; p == nil || p.Name == "" {
			t.Errorf("phase %v", p)
		}
	})
}
