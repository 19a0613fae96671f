package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"html"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"golang.org/x/sys/unix"

	"gobuild/pkg/api"
	"gobuild/pkg/coordinator"
)

// workerFaults are the faults that a machine in a pool is made for.
var workerFaults = []shown{
	{"SIGKILL of run-bot, buildlet and coordinator, 200 times in turn, with a command running", []string{"cmd/gobuild/run_bot_farm_linux_test.go TestFarmSurvivesKills"}},
	{"SIGKILL while a buildlet is fetched and put in place", []string{"pkg/stage0/state_test.go TestKilled"}},
	{"the network is cut for 5 s and 60 s, idle and with a command", []string{"cmd/gobuild/faults_linux_test.go TestFarmFaults"}},
	{"the network is frozen for 5 s and 60 s, idle and with a command", []string{"cmd/gobuild/faults_linux_test.go TestFarmFaults", "pkg/coordinator/freeze_test.go TestFrozenLinkIsCutHere", "pkg/coordinator/freeze_test.go TestFrozenLinkIsCutThere"}},
	{"the network is away for long, whenever it comes back", []string{"pkg/buildlet/return_test.go TestReturnArithmetic", "cmd/gobuild/run_bot_farm_linux_test.go TestFarmAwaitsNetwork"}},
	{"a download is truncated", []string{"pkg/stage0/fetch_test.go TestRefused", "pkg/stage0/fetch_test.go TestResume"}},
	{"a download is corrupted", []string{"pkg/stage0/fetch_test.go TestRefused"}},
	{"a download has a wrong signature, or none", []string{"pkg/stage0/fetch_test.go TestRefused", "pkg/stage0/fetch_test.go TestUnsigned"}},
	{"a download is for another architecture", []string{"pkg/stage0/fetch_test.go TestRefused"}},
	{"a download is not there: 404", []string{"pkg/stage0/fetch_test.go TestRefused"}},
	{"a download is an older version", []string{"pkg/stage0/fetch_test.go TestRefused", "pkg/stage0/fetch_test.go TestDowngrade"}},
	{"a download hangs", []string{"pkg/stage0/fetch_test.go TestHang"}},
	{"a new buildlet is no good", []string{"pkg/stage0/runner_test.go TestNewOneIsNoGood", "pkg/farmbot/farmbot_linux_test.go TestUpdate"}},
	{"the disk is full during a download", []string{"pkg/stage0/full_linux_test.go TestDiskFull"}},
	{"the disk is full during a build", []string{"cmd/gobuild/faults_linux_test.go TestFarmFaults", "pkg/farmbot/farmbot_linux_test.go TestFullDisk"}},
	{"the clock jumps, either way", []string{"pkg/farmbot/clock_linux_test.go TestClockJumps"}},
	{"the clock is wrong until it is set", []string{"pkg/farmbot/clock_linux_test.go TestClockIsWrong", "pkg/buildlet/return_test.go TestClockIsWrong"}},
	{"the coordinator's clock is another", []string{"pkg/coordinator/hostile_test.go TestClaimRefusedByAnotherClock"}},
	{"a build forks daemons", []string{"cmd/gobuild/run_bot_farm_linux_test.go TestFarmBadBuilds", "pkg/buildlet/strays_linux_test.go TestStraysAreSwept", "pkg/buildlet/leftovers_linux_test.go TestLeftoversThatBreed"}},
	{"a build ignores SIGTERM", []string{"cmd/gobuild/run_bot_farm_linux_test.go TestFarmSignals", "cmd/gobuild/run_bot_farm_linux_test.go TestFarmSurvivesKills"}},
	{"a build fills 10,000 pids", []string{"cmd/gobuild/faults_linux_test.go TestFarmFaults", "pkg/farmbot/farmbot_linux_test.go TestProcessLimit"}},
	{"a build writes 1 GB to stdout", []string{"cmd/gobuild/run_bot_farm_linux_test.go TestFarmBadBuilds"}},
	{"disk outside the work directory", []string{"cmd/gobuild/faults_linux_test.go TestFarmFaults"}},
}

// TestWorkerFaults checks that the tests in the table are there.
func TestWorkerFaults(t *testing.T) { checkShown(t, workerFaults) }

// back is within what a machine is to be in the pool again.
const back = 60 * time.Second

// faultTable is what came of each fault.
type faultTable struct {
	mu   sync.Mutex
	rows [][3]string
}

func (ft *faultTable) add(fault string, took time.Duration, note string) {
	ft.mu.Lock()
	defer ft.mu.Unlock()
	ft.rows = append(ft.rows, [3]string{fault, took.Round(100 * time.Millisecond).String(), note})
}

func (ft *faultTable) String() string {
	ft.mu.Lock()
	defer ft.mu.Unlock()
	slices.SortFunc(ft.rows, func(a, b [3]string) int { return strings.Compare(a[0], b[0]) })
	var text bytes.Buffer
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "FAULT\tIDLE AGAIN AFTER\tWHAT CAME OF IT")
	for _, row := range ft.rows {
		fmt.Fprintln(w, strings.Join(row[:], "\t"))
	}
	w.Flush()
	return text.String()
}

// After a fault the machine is idle in the pool again within a minute, nothing
// of the command that ran lives on, and its caller knows what became of it. All
// faults happen at once, each to a farm of its own of real processes.
func TestFarmFaults(t *testing.T) {
	var table faultTable
	cases := []struct {
		name string
		run  func(*testing.T, *faultTable, *sync.Mutex)
	}{
		{"disk full", diskFull},
		{"10,000 pids", manyPids},
		{"nothing outside", nothingOutside},
	}
	for _, n := range networkFaults {
		if testing.Short() && n.lasts > 10*time.Second {
			continue
		}
		cases = append(cases, struct {
			name string
			run  func(*testing.T, *faultTable, *sync.Mutex)
		}{n.String(), n.test})
	}
	// One after the other they start: a dozen at once would wait for each
	// other longer than a start may take.
	var starting sync.Mutex
	var all sync.WaitGroup
	for _, c := range cases {
		all.Go(func() { t.Run(c.name, func(t *testing.T) { c.run(t, &table, &starting) }) })
	}
	all.Wait()
	t.Logf("\n%s", &table)
}

// networkFault is what befalls the network between a machine and its
// coordinator.
type networkFault struct {
	kind  faultKind
	lasts time.Duration
	busy  bool // a command runs
}

type faultKind string

const (
	// Connections are reset, and new ones refused.
	cut faultKind = "cut"
	// Nothing passes. Of connections from that time nothing passes ever, as
	// behind a router that has forgotten them.
	frozen faultKind = "frozen"
	// Nothing passes, and all of it comes later, as TCP has it where packets
	// are lost for a while.
	stalled faultKind = "stalled"
)

var networkFaults = []networkFault{
	{cut, 60 * time.Second, true}, {frozen, 60 * time.Second, true}, {stalled, 60 * time.Second, true},
	{cut, 60 * time.Second, false}, {frozen, 60 * time.Second, false},
	{cut, 5 * time.Second, true}, {frozen, 5 * time.Second, true}, {stalled, 5 * time.Second, true},
	{cut, 5 * time.Second, false}, {frozen, 5 * time.Second, false},
}

func (n networkFault) String() string {
	with := "idle"
	if n.busy {
		with = "with a command"
	}
	return fmt.Sprintf("network %s %s, %s", n.kind, n.lasts, with)
}

// harmless reports whether the link outlives it: nothing comes for a while,
// which is not long enough to tell it from a slow machine.
func (n networkFault) harmless() bool { return n.kind == stalled && n.lasts < 20*time.Second }

func (n networkFault) test(t *testing.T, table *faultTable, starting *sync.Mutex) {
	r := newRouter(t)
	// The pauses are those of a machine in earnest.
	f := newFarm(t, "--coordinator", "https://"+r.addr, "--retry-min=5s", "--retry-max=5m", "--settle=1m")
	r.leadTo(f.coordinator)
	starting.Lock()
	f.openSafely(starting)
	pid := f.buildletPid()
	var out lockedBuffer
	var done chan fate
	var instance string
	if n.busy {
		script := "(setsid sleep 600 &) ; trap '' TERM; sleep 600; sleep 600"
		if n.harmless() {
			script = "for i in 0 1 2 3 4 5 6 7 8 9; do echo tick $i; sleep 1; done; echo finished"
		}
		s, ended := f.begin(f.build(script), &out)
		instance, done = s.Instance().ID, make(chan fate, 1)
		go func() {
			err := <-ended
			done <- fate{err, time.Now()}
		}()
		f.await("the command runs", func() bool { return strings.Contains(out.String(), "began") })
	}
	begun := time.Now()
	switch n.kind {
	case cut:
		r.cut()
	default:
		r.freeze()
	}
	time.Sleep(n.lasts)
	switch n.kind {
	case cut:
		r.mend()
	default:
		r.thaw(n.kind == frozen)
	}
	returned := time.Now()
	since := returned // when it might be idle again
	note := ""
	if n.busy {
		select {
		case end := <-done:
			after := end.at.Sub(begun).Round(100 * time.Millisecond)
			note = fmt.Sprintf("Caller after %s: %s", after, n.told(t, end.err, out.String()))
			t.Logf("%s after the fault began the caller is told: %v", after, end.err)
		case <-time.After(time.Until(returned.Add(back))):
			t.Fatalf("the command's caller waits on %s after the network is back", back)
		}
		if n.harmless() {
			since = time.Now()
			if err := f.client.Destroy(t.Context(), instance); err != nil {
				t.Error(err)
			}
		}
	}
	// What the pool says of the old link does not count.
	f.await("the machine is idle in the pool again", func() bool {
		h, ok := f.host()
		return ok && h.State == api.HostIdle && h.Heard.After(returned)
	})
	took := time.Since(since)
	if took > back {
		t.Errorf("it took %s", took)
	}
	f.noBuild("the network was " + string(n.kind))
	if now := f.buildletPid(); now != pid {
		t.Errorf("the buildlet did not survive it: process %d, before %d", now, pid)
	}
	why := f.gone(begun)
	switch {
	case n.harmless() && why != "":
		t.Errorf("the link went though it only stalled: %s", why)
	case !n.harmless() && why == "":
		t.Error("the pool does not say that the link went")
	case why != "":
		if note == "" {
			note = "Pool: " + why
		}
		if page := f.page(); !strings.Contains(page, html.EscapeString(why)) {
			t.Errorf("the coordinator's page does not say %q:\n%s", why, page)
		}
	}
	table.add(n.String(), took, note)
	f.works()
}

// fate is how a command ended, and when its caller knew.
type fate struct {
	err error
	at  time.Time
}

// told checks what the caller of a command is told, and returns it in short.
func (n networkFault) told(t *testing.T, err error, out string) string {
	t.Helper()
	if n.harmless() {
		if err != nil || !strings.HasSuffix(out, "tick 9\nfinished\n") {
			t.Errorf("the command: %v, output %q", err, out)
		}
		return "the command ended well"
	}
	if err == nil {
		t.Error("the command ended well, says its caller")
		return ""
	}
	return lostMachine(t, err)
}

// lostMachine checks that an error says that the machine was lost and why, and
// returns that part of it.
func lostMachine(t *testing.T, err error) string {
	t.Helper()
	_, why, ok := strings.Cut(err.Error(), ": its machine "+farmHost+" was lost: ")
	if !ok || why == "" {
		t.Errorf("the caller is not told what became of the command: %v", err)
	}
	return "its machine was lost: " + why
}

// openSafely starts all of a farm and lets the next one start, also where it
// fails.
func (f *realFarm) openSafely(starting *sync.Mutex) {
	f.t.Helper()
	defer starting.Unlock()
	f.openCoordinator()
	f.startBot()
	f.awaitState(api.HostIdle)
}

// gone says why a link was lost after a time; empty: none was.
func (f *realFarm) gone(after time.Time) string {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), farmPatience)
	defer cancel()
	pool, err := f.client.Pool(ctx)
	if err != nil {
		f.t.Fatal(err)
	}
	for _, g := range slices.Backward(pool.Gone) {
		if g.When.After(after) {
			return g.Why // the first
		}
	}
	return ""
}

// page returns the coordinator's page.
func (f *realFarm) page() string {
	f.t.Helper()
	client := &http.Client{Timeout: farmPatience, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: f.roots}, DisableKeepAlives: true}}
	resp, err := client.Get(f.url + "/")
	if err != nil {
		f.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	return string(text)
}

// works has the machine do something, and be idle again.
func (f *realFarm) works() {
	f.t.Helper()
	var out lockedBuffer
	s, done := f.begin("echo it works", &out)
	select {
	case err := <-done:
		if err != nil || !strings.Contains(out.String(), "it works") {
			f.t.Errorf("a command afterwards: %v, %s", err, out.String())
		}
	case <-time.After(farmPatience):
		f.t.Fatal("a command afterwards does not end")
	}
	if err := f.client.Destroy(f.t.Context(), s.Instance().ID); err != nil {
		f.t.Error(err)
	}
	f.awaitState(api.HostIdle)
}

// router is a network between a machine and its coordinator: a TCP proxy that
// can be cut and frozen.
type router struct {
	t    *testing.T
	addr string
	port int // the socket that keeps the port for it

	mu     sync.Mutex
	moved  *sync.Cond
	to     string
	ln     net.Listener
	frozen bool
	seq    int        // connections so far
	lost   int        // nothing passes on the connections up to this one
	ends   []net.Conn // of all connections
	work   sync.WaitGroup
}

func newRouter(t *testing.T) *router {
	t.Helper()
	r := &router{t: t}
	r.moved = sync.NewCond(&r.mu)
	// A socket that is bound and does not listen: what connects is refused, and
	// nobody else gets the port.
	var err error
	if r.port, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(r.port) })
	if err := unix.SetsockoptInt(r.port, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
		t.Fatal(err)
	}
	if err := unix.Bind(r.port, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	name, err := unix.Getsockname(r.port)
	if err != nil {
		t.Fatal(err)
	}
	r.addr = fmt.Sprintf("127.0.0.1:%d", name.(*unix.SockaddrInet4).Port)
	r.mend()
	t.Cleanup(func() {
		r.cut()
		r.work.Wait()
	})
	return r
}

// leadTo says where it leads to.
func (r *router) leadTo(addr string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.to = addr
}

// cut resets all connections and refuses new ones.
func (r *router) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ln != nil {
		r.ln.Close()
	}
	r.ln = nil
	for _, c := range r.ends {
		reset(c)
	}
	r.ends, r.lost, r.frozen = nil, r.seq, false
	r.moved.Broadcast()
}

func reset(c net.Conn) {
	c.(*net.TCPConn).SetLinger(0)
	c.Close()
}

// mend takes connections again.
func (r *router) mend() {
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var failed error
		err := c.Control(func(fd uintptr) {
			failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
		})
		if err != nil {
			return err
		}
		return failed
	}}
	ln, err := lc.Listen(r.t.Context(), "tcp4", r.addr)
	if err != nil {
		r.t.Error(err)
		return
	}
	r.mu.Lock()
	r.ln = ln
	r.mu.Unlock()
	r.work.Go(func() {
		for {
			near, err := ln.Accept()
			if err != nil {
				return
			}
			if seq, ok := r.keep(ln, near, 0); ok {
				r.work.Go(func() { r.carry(ln, near, seq) })
			}
		}
	})
}

// keep notes a connection, under a new number if it has none yet; ok is false
// if it came too late.
func (r *router) keep(ln net.Listener, c net.Conn, number int) (seq int, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ln != ln {
		reset(c)
		return 0, false
	}
	if number == 0 {
		r.seq++
		number = r.seq
	}
	r.ends = append(r.ends, c)
	return number, true
}

// freeze has nothing pass.
func (r *router) freeze() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.frozen = true
}

// thaw has the network pass again, if it does not forget also what is on its
// way and the connections that it has.
func (r *router) thaw(forget bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.frozen = false
	if forget {
		r.lost = r.seq
	}
	r.moved.Broadcast()
}

// passes waits until the network passes what a connection carries, and reports
// whether it ever will.
func (r *router) passes(seq int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.frozen && seq > r.lost {
		r.moved.Wait()
	}
	return seq > r.lost
}

// carry joins a connection with one to the coordinator.
func (r *router) carry(ln net.Listener, near net.Conn, seq int) {
	if !r.passes(seq) {
		return
	}
	r.mu.Lock()
	to := r.to
	r.mu.Unlock()
	far, err := net.DialTimeout("tcp", to, 10*time.Second)
	if err != nil {
		reset(near)
		return
	}
	if _, ok := r.keep(ln, far, seq); !ok {
		return
	}
	pass := func(to, from net.Conn) {
		buf := make([]byte, 32<<10)
		for {
			n, err := from.Read(buf)
			if !r.passes(seq) {
				return // an end is no more passed on than bytes are
			}
			if _, failed := to.Write(buf[:n]); failed != nil || err != nil {
				near.Close()
				far.Close()
				return
			}
		}
	}
	r.work.Go(func() { pass(near, far) })
	pass(far, near)
}

// A build fills the disk and fails. What it has left is swept before the
// machine takes work again, also where nobody could end its instance; if it is
// not the work directory that fills the disk, the machine takes no work.
func diskFull(t *testing.T, table *faultTable, starting *sync.Mutex) {
	if os.Geteuid() != 0 {
		t.Skip("only root can mount a small file system")
	}
	f := newFarm(t, "--min-free-disk=16MiB")
	small := filepath.Dir(f.dir)
	if err := unix.Mount("tmpfs", small, "tmpfs", 0, "size=64m"); err != nil {
		t.Skipf("no small file system: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(small, unix.MNT_DETACH) })
	starting.Lock()
	f.openSafely(starting)
	big := filepath.Join(f.dir, "work", "gocache", "big")
	idle := func(what string, since time.Time, note string) {
		t.Helper()
		f.awaitState(api.HostIdle)
		took := time.Since(since)
		if took > back {
			t.Errorf("%s: it took %s", what, took)
		}
		table.add("disk full: "+what, took, note)
		if _, err := os.Stat(big); err == nil {
			t.Errorf("%s: what filled the disk is still there", what)
		}
		f.works()
	}
	const fill = `mkdir -p "$GOCACHE" && head -c 100000000 /dev/zero >"$GOCACHE/big"; code=$?; `

	pid := f.buildletPid()
	var out lockedBuffer
	s, done := f.begin(f.build(fill+"exit $code"), &out)
	var told error
	select {
	case told = <-done:
	case <-time.After(back):
		t.Fatal("the command does not end")
	}
	if told == nil || !strings.Contains(out.String(), "No space left on device") {
		t.Errorf("the command: %v, %s", told, out.String())
	}
	since := time.Now()
	if err := f.client.Destroy(t.Context(), s.Instance().ID); err != nil {
		t.Error(err)
	}
	idle("by a build", since, fmt.Sprintf("Caller: %v; output: %s", told, strings.TrimSpace(strings.TrimPrefix(out.String(), "began\n"))))
	if now := f.buildletPid(); now != pid {
		t.Errorf("the buildlet did not survive it: process %d, before %d", now, pid)
	}

	// Its cache is what a lost buildlet leaves to the next one.
	var more lockedBuffer
	_, done = f.begin(f.build(fill+"echo full; sleep 600"), &more)
	f.await("the disk is full", func() bool { return strings.Contains(more.String(), "full\n") })
	since = time.Now()
	syscall.Kill(pid, syscall.SIGKILL)
	select {
	case told = <-done:
	case <-time.After(back):
		t.Fatal("the command's caller waits on")
	}
	if told == nil {
		t.Fatal("the command ended well, says its caller")
	}
	idle("by a build, and the buildlet killed", since, "Caller: "+lostMachine(t, told))
	f.noBuild("the buildlet was killed on a full disk")
	said := f.bot.out.String()
	for _, want := range []string{"this machine takes no work", "of disk are free, and 16 MiB are wanted", "state=quarantined", "the work directory was swept", "this machine takes work again"} {
		if !strings.Contains(said, want) {
			t.Errorf("run-bot never says %q", want)
		}
	}

	owners := filepath.Join(small, "the owner's")
	if err := os.WriteFile(owners, make([]byte, 60<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	why := f.awaitState(api.HostQuarantined).Why
	if !strings.Contains(why, "of disk are free, and 16 MiB are wanted") {
		t.Errorf("the pool says %q", why)
	}
	since = time.Now()
	if err := os.Remove(owners); err != nil {
		t.Fatal(err)
	}
	idle("by something else", since, "Pool: "+why)
}

// A build starts 10,000 processes from ten sides: it is killed.
func manyPids(t *testing.T, table *faultTable, starting *sync.Mutex) {
	f := newFarm(t, "--max-processes=300")
	starting.Lock()
	f.openSafely(starting)
	pid := f.buildletPid()
	var out lockedBuffer
	s, done := f.begin(f.build(`for side in 0 1 2 3 4 5 6 7 8 9; do
	setsid sh -c 'i=0; while [ $i -lt 1000 ]; do sleep 600 & i=$((i+1)); done; sleep 600' </dev/null >/dev/null 2>&1 &
done; sleep 600`), &out)
	var told error
	select {
	case told = <-done:
	case <-time.After(2 * back):
		t.Fatal("the command does not end")
	}
	if told == nil {
		t.Error("the command ended well")
	}
	ended := time.Now()
	if err := f.client.Destroy(t.Context(), s.Instance().ID); err != nil {
		t.Error(err)
	}
	f.awaitState(api.HostIdle)
	took := time.Since(ended)
	f.noBuild("the build that started them was killed")
	if now := f.buildletPid(); now != pid {
		t.Errorf("the buildlet did not survive it: process %d, before %d", now, pid)
	}
	if !strings.Contains(f.bot.out.String(), "too many processes, and all but the buildlet are killed") {
		t.Error("the processes were not limited")
	}
	table.add("10,000 pids", took, fmt.Sprintf("Caller: %v", told))
	f.works()
}

// Whatever is killed, nothing is left outside the work directory, and inside
// it nothing but what is meant to stay.
func nothingOutside(t *testing.T, table *faultTable, starting *sync.Mutex) {
	kills := 9
	if testing.Short() {
		kills = 3
	}
	f := newFarm(t)
	starting.Lock()
	func() {
		defer starting.Unlock()
		f.openCoordinator()
	}()
	root := t.TempDir()
	env := slices.Clone(f.env)
	for name, dir := range map[string]string{"HOME": "home", "TMPDIR": "tmp", "XDG_CONFIG_HOME": "config", "XDG_CACHE_HOME": "cache",
		"XDG_DATA_HOME": "data", "XDG_STATE_HOME": "state", "XDG_RUNTIME_DIR": "run"} {
		if err := os.Mkdir(filepath.Join(root, dir), 0o700); err != nil {
			t.Fatal(err)
		}
		env = append(env, name+"="+filepath.Join(root, dir))
	}
	ca, err := os.ReadFile(f.ca)
	if err != nil {
		t.Fatal(err)
	}
	dev := filepath.Join(root, "cache", "gobuild", "dev")
	if err := os.MkdirAll(dev, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dev, coordinator.DevCA), ca, 0o600); err != nil {
		t.Fatal(err)
	}
	startBot := func() {
		farms := f.env
		f.env = env
		f.startBot()
		f.env = farms
	}
	before := files(t, root)
	startBot()
	f.awaitState(api.HostIdle)
	var longest time.Duration
	for n := range kills {
		var out lockedBuffer
		_, done := f.begin(f.build(`mktemp && mktemp -d && head -c 1000000 /dev/zero >"$TMPDIR/x" && head -c 1000000 /dev/zero >y && mkdir -p "$GOCACHE/z" && chmod 555 "$GOCACHE/z"
echo ready; (setsid sleep 600 &); while :; do head -c 1000000 /dev/zero >"$TMPDIR/w"; done`), &out)
		f.await("the command works", func() bool { return strings.Contains(out.String(), "ready") })
		at := time.Now()
		switch n % 3 {
		case 0:
			f.bot.kill()
			startBot()
		case 1:
			syscall.Kill(f.buildletPid(), syscall.SIGKILL)
		case 2:
			f.coord.kill()
			f.startCoordinator()
		}
		select {
		case err := <-done:
			if err == nil {
				t.Error("the command ended well")
			}
		case <-time.After(farmPatience):
			t.Fatal("the command's caller waits on")
		}
		f.awaitState(api.HostIdle)
		longest = max(longest, time.Since(at))
		f.noBuild("a kill")
	}
	f.works()
	f.bot.cmd.Process.Signal(syscall.SIGTERM)
	f.botEnds()
	after := files(t, root)
	for _, name := range slices.Sorted(maps.Keys(after)) {
		if was, known := before[name]; !known {
			t.Errorf("%s is new: %s", name, after[name])
		} else if was != after[name] {
			t.Errorf("%s is now %s, and was %s", name, after[name], was)
		}
	}
	for name := range before {
		if _, there := after[name]; !there {
			t.Errorf("%s is gone", name)
		}
	}
	inside := slices.Sorted(maps.Keys(files(t, f.dir)))
	for _, name := range inside {
		if inWork := strings.HasPrefix(name, "work/"); inWork && !strings.HasPrefix(name, "work/gocache") && !strings.HasPrefix(name, "work/goplscache") && name != "work/tmp" {
			t.Errorf("in the work directory lies %s", name)
		}
	}
	table.add(fmt.Sprintf("%d kills of builds that write, at the longest", kills), longest, fmt.Sprintf("Outside the work directory all %d files and directories are as they were; inside are %s", len(before), strings.Join(inside, " ")))
}

// files returns what lies below a directory, with what changes when it is
// changed. The time of a directory tells of what came and went.
func files(t *testing.T, root string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		all[filepath.ToSlash(rel)] = fmt.Sprintf("%s, %d bytes, of %s", info.Mode(), info.Size(), info.ModTime().Format(time.RFC3339Nano))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
