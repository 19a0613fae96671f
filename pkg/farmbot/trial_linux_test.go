package farmbot

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gobuild/pkg/netdial"
	"gobuild/pkg/supervise"
	"gobuild/pkg/supervise/control"
)

// linked returns the name of a buildlet of these tests.
func linked(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "buildlet")
	if err := os.Symlink(os.Args[0], file); err != nil {
		t.Fatal(err)
	}
	return file
}

// However a new buildlet ends before it has registered, the one before it is
// put back: by a signal, as for want of memory, or with exit code 0.
func TestNewBuildletEnds(t *testing.T) {
	for how, want := range map[string]string{"die": "signal: killed", "leave": "exit code 0"} {
		t.Run(how, func(t *testing.T) {
			u := &fakeUpdater{file: linked(t), news: "v1"}
			f := begin(t, func(o *Options) {
				o.Update = u
				if err := os.WriteFile(filepath.Join(filepath.Dir(o.Dir), "do"), []byte(how), 0o600); err != nil {
					t.Fatal(err)
				}
			})
			f.await("rolled back", u.is(func() bool { return strings.Contains(u.rolled, want) }))
			f.do("")
			f.phase(supervise.Idle)
		})
	}
}

// flapping is a listener of which every other connection is cut off, once it
// is told.
type flapping struct {
	net.Listener
	flaps atomic.Bool
	taken atomic.Int32
}

func (l *flapping) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err == nil && l.taken.Add(1)%2 == 0 && l.flaps.Load() {
		conn.(*net.TCPConn).SetLinger(0)
		conn.Close()
	}
	return conn, err
}

// A new buildlet is not blamed for a network that comes and goes.
func TestFlappingNetwork(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	l := &flapping{Listener: server.Listener}
	server.Listener = l
	server.StartTLS()
	defer server.Close()
	u := &fakeUpdater{file: linked(t), news: "v1"}
	f := begin(t, func(o *Options) {
		o.Update, o.RegisterWithin = u, 2*time.Second
		o.Coordinator, o.Dialer = l.Addr().String(), &netdial.Dialer{}
		l.flaps.Store(true)
		if err := os.WriteFile(filepath.Join(filepath.Dir(o.Dir), "do"), []byte("away"), 0o600); err != nil {
			t.Fatal(err)
		}
	})
	f.await("it is looked for often", func(supervise.Status) bool { return l.taken.Load() >= 8 })
	u.mu.Lock()
	if u.rolled != "" {
		t.Errorf("rolled back: %s", u.rolled)
	}
	u.mu.Unlock()
	l.flaps.Store(false)
	f.await("rolled back", u.is(func() bool { return strings.Contains(u.rolled, "did not register") }))
}

// slowUpdater is one whose second look takes until it is given up.
type slowUpdater struct {
	fakeUpdater
	looks  atomic.Int32
	looked chan struct{} // the second look has begun
	cut    chan struct{} // and was given up
}

func (u *slowUpdater) Fetch(ctx context.Context) (bool, string, error) {
	if u.looks.Add(1) != 2 {
		return u.fakeUpdater.Fetch(ctx)
	}
	close(u.looked)
	<-ctx.Done()
	close(u.cut)
	return false, "", ctx.Err()
}

// A look for another buildlet ends with the one that runs: what it put in
// place later would be taken for good when that one's successor, which is
// another program, registers.
func TestLookEndsWithBuildlet(t *testing.T) {
	u := &slowUpdater{fakeUpdater: fakeUpdater{file: linked(t), news: "v1"}, looked: make(chan struct{}), cut: make(chan struct{})}
	f := begin(t, func(o *Options) { o.Update, o.UpdateEvery = u, 50*time.Millisecond })
	pid := f.phase(supervise.Idle).Pid
	for _, step := range []struct {
		c    chan struct{}
		then func()
	}{{u.looked, f.Interrupt}, {u.cut, func() {}}} {
		select {
		case <-step.c:
			step.then()
		case <-time.After(patience):
			t.Fatal("the look does not begin, or does not end with the buildlet")
		}
	}
	f.await("another one", func(st supervise.Status) bool { return st.Pid != 0 && st.Pid != pid && st.Phase.Name == supervise.Idle })
}

// A directory that somebody else has filled is left alone.
func TestStrangeWorkDir(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "work", "thesis.tex")
	if err := os.Mkdir(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := testBot(t, nil).opts
	o.Dir = dir
	if _, err := New(o); err == nil || !strings.Contains(err.Error(), "would be deleted") {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	b, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	b.Close()
	// From now on it is run-bot's.
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if b, err = New(o); err != nil {
		t.Fatal(err)
	}
	b.Close()
}

// What was kept after run-bot has looked, and before it answers, is not lost.
func TestWishBetween(t *testing.T) {
	b := testBot(t, nil)
	if err := control.Save(b.state, control.Wish{State: control.Draining, Since: time.Now(), By: control.Owner}); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	f := &farm{b, t, stop, make(chan error, 1)}
	go func() { f.done <- b.Run(ctx) }()
	defer f.end()
	f.await("it runs, drained", func(st supervise.Status) bool {
		return st.Pid != 0 && st.Phase.Name == supervise.Paused && strings.HasPrefix(st.Phase.Why, "drained by its owner")
	})
}

// A gate that the system does not let us look at is told of.
func TestBlindGates(t *testing.T) {
	none, some := Amount{Given: true}, Amount{Given: true, Percent: 5}
	for _, tt := range []struct {
		disk, mem         Amount
		seesDisk, seesMem bool
		want              []string
	}{
		{Amount{}, Amount{}, true, true, nil},
		{some, some, true, true, nil},
		{Amount{}, Amount{}, true, false, nil},
		{Amount{}, none, true, false, nil},
		{Amount{}, some, true, false, []string{"--min-free-memory"}},
		{Amount{}, some, false, false, []string{"disk", "--min-free-memory"}},
		{none, Amount{}, false, false, nil},
	} {
		got := blindGates(tt.disk, tt.mem, tt.seesDisk, tt.seesMem)
		if !slices.EqualFunc(got, tt.want, strings.Contains) {
			t.Errorf("%+v: %q", tt, got)
		}
	}
}
