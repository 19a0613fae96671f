package coordinator

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gobuild/pkg/api"
	"gobuild/pkg/availability"
	"gobuild/pkg/buildlet"
	"gobuild/pkg/store"
)

// Who gives up while his machine is being claimed leaves it free: else one
// that is to drain would wait for him for ever.
func TestAbandonedClaim(t *testing.T) {
	f := newFarm(t, Options{HeartbeatEvery: time.Hour})
	claimed, release := make(chan struct{}), make(chan struct{})
	m := f.joinWith("board", testType, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/claim" {
				next.ServeHTTP(w, r)
				return
			}
			rec := httptest.NewRecorder() // the answer takes its time
			next.ServeHTTP(rec, r)
			close(claimed)
			<-release
			w.WriteHeader(rec.Code)
		})
	})
	var once sync.Once
	free := func() { once.Do(func() { close(release) }) }
	t.Cleanup(free)
	f.await("it is idle", func() bool { return f.host("board").State == api.HostIdle })
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	joe := f.client("joe")
	ended := make(chan error, 1)
	go func() {
		_, err := joe.Create(ctx, api.CreateRequest{BuilderType: testBuilder}, nil)
		ended <- err
	}()
	<-claimed
	if r := m.srv.Report(); r.Instance == "" {
		t.Fatal("it is not claimed")
	}
	cancel()
	if err := <-ended; err == nil {
		t.Error("the creation ended well")
	}
	time.Sleep(100 * time.Millisecond) // for the coordinator to see that
	free()
	f.await("it is idle again", func() bool { return f.host("board").State == api.HostIdle })
	if r := m.srv.Report(); r.Instance != "" {
		t.Errorf("the machine is still held by %q", r.Instance)
	}
}

// A machine whose clock is behind goes on with a pause that is over by ours.
// It is not cut off for that, nor asked again and again.
func TestClaimRefusedByAnotherClock(t *testing.T) {
	f := newFarm(t, Options{HeartbeatEvery: 300 * time.Millisecond})
	until := time.Now().Add(-time.Minute)
	var claims atomic.Int32
	f.joinWith("behind", testType, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/claim" || claims.Add(1) > 3 {
				next.ServeHTTP(w, r)
				return
			}
			w.WriteHeader(http.StatusConflict)
			json.NewEncoder(w).Encode(buildlet.Availability{State: buildlet.Paused, Until: until})
		})
	})
	f.await("it is idle", func() bool { return f.host("behind").State == api.HostIdle })
	began := time.Now()
	inst := f.create(f.client("joe"))
	if took := time.Since(began); inst.Hostname != "behind" || took < 300*time.Millisecond {
		t.Errorf("made on %s after %s", inst.Hostname, took)
	}
	if gone := f.pool.snapshot().Gone; len(gone) != 0 {
		t.Errorf("gone: %+v", gone)
	}
}

// A machine that refuses for ever does not keep others from being used.
func TestRefusesForEver(t *testing.T) {
	f := newFarm(t, Options{HeartbeatEvery: time.Hour})
	f.joinWith("first", testType, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/status": // it cannot be told to take no work
				fmt.Fprint(w, `{"Version":29,"Additions":["claim"]}`)
			case "/claim":
				w.WriteHeader(http.StatusConflict)
				fmt.Fprint(w, `{"state":"quarantined","why":"no mood"}`)
			default:
				next.ServeHTTP(w, r)
			}
		})
	})
	f.await("it is idle", func() bool { return f.host("first").State == api.HostIdle })
	f.join("second", testType)
	if inst := f.create(f.client("joe")); inst.Hostname != "second" {
		t.Errorf("made on %s", inst.Hostname)
	}
}

// dialBack takes a control connection's next wish for a data connection and
// serves one status on it.
func (f *testFarm) dialBack(lines *bufio.Reader) {
	f.t.Helper()
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			f.t.Fatal(err)
		}
		var msg struct{ Command, ConnPath string }
		if json.Unmarshal([]byte(line), &msg) != nil || msg.Command != "conn-ready" {
			continue
		}
		conn := f.dialRaw()
		ask(f.t, conn, msg.ConnPath, nil)
		br := bufio.NewReader(conn)
		if resp, err := http.ReadResponse(br, nil); err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
			f.t.Fatalf("dial back: %v, %v", resp, err)
		}
		if _, err := http.ReadRequest(br); err != nil {
			f.t.Fatal(err)
		}
		io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n{\"Version\":29}")
		return
	}
}

// A report of a failed pick-up for which nobody waits any more does not stop
// the control connection, nor fail a later dial.
func TestStalePickUpFailure(t *testing.T) {
	f := newFarm(t, Options{HeartbeatEvery: time.Hour})
	conn, lines := f.register(f.goodHeader())
	defer conn.Close()
	f.dialBack(lines)
	f.await("it is idle", func() bool { return f.host("raw").State == api.HostIdle })
	for range 3 {
		io.WriteString(conn, "{\"command\":\"pickup-failed\",\"connPath\":\"/revdial\",\"err\":\"too late\"}\n")
	}
	io.WriteString(conn, "{\"command\":\"ping\"}\n")
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("no pong: %v", err)
		}
		if controlCommand([]byte(line)) == "pong" {
			break
		}
	}
	f.pool.mu.Lock()
	h := f.pool.hosts[0]
	f.pool.mu.Unlock()
	h.transport.CloseIdleConnections()
	got := make(chan error, 1)
	go func() {
		_, err := h.check(t.Context(), patience)
		got <- err
	}()
	f.dialBack(lines)
	if err := <-got; err != nil {
		t.Errorf("a later dial: %v", err)
	}
	// One that somebody waits for fails at once, with its reason.
	h.transport.CloseIdleConnections()
	go func() {
		_, err := h.check(t.Context(), patience)
		got <- err
	}()
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if controlCommand([]byte(line)) == "conn-ready" {
			break
		}
	}
	began := time.Now()
	io.WriteString(conn, "{\"command\":\"pickup-failed\",\"err\":\"no route to host\"}\n")
	if err := <-got; err == nil || !strings.Contains(err.Error(), "no route to host") || time.Since(began) > dialWait {
		t.Errorf("a failed pick-up: %v after %s", err, time.Since(began))
	}
}

// An instance is used, by its foreseeable name, as soon as it is there.
func TestUsedWhileItIsMade(t *testing.T) {
	f := newFarm(t, Options{})
	f.join("board", testType)
	joe := f.client("joe")
	stop := make(chan struct{})
	var work sync.WaitGroup
	work.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if inst, err := f.insts.get("joe-"+testBuilder+"-0", "user-joe"); err == nil {
				if done, err := f.insts.use(inst); err == nil {
					done()
				}
			}
		}
	})
	for range 10 {
		inst := f.create(joe)
		if err := joe.Destroy(t.Context(), inst.ID); err != nil {
			t.Error(err)
		}
		if rec, err := f.opts.Store.Instance(t.Context(), inst.ID); err != nil || rec.Ended.IsZero() {
			t.Errorf("recorded: %+v, %v", rec, err)
		}
	}
	close(stop)
	work.Wait()
}

// What a machine says of itself is cut to what can be shown.
func TestBoastfulMachine(t *testing.T) {
	f := newFarm(t, Options{HeartbeatEvery: 50 * time.Millisecond})
	long := strings.Repeat("x\x1b[31m<b>", 20_000)
	f.joinWith("board", testType, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/status":
				var many []string
				for i := range 1000 {
					many = append(many, fmt.Sprint(i, long[:100]))
				}
				json.NewEncoder(w).Encode(buildlet.Status{
					Version: 29, Program: long, GOOS: long[:1000], GOARCH: long[:1000], Additions: append([]string{buildlet.AdditionAvailability}, many...),
					Availability: buildlet.Availability{State: availability.State(long[:1000]), By: long[:1000], Why: long[:1000]},
				})
			case "/availability":
				json.NewEncoder(w).Encode(buildlet.Asked{Availability: buildlet.Availability{State: availability.State(long[:1000]), Why: long[:1000]}, Decides: long[:1000]})
			default:
				next.ServeHTTP(w, r)
			}
		})
	})
	f.await("it has answered", func() bool { return !f.host("board").Heard.IsZero() })
	small := func() {
		t.Helper()
		text, err := json.Marshal(f.pool.snapshot())
		if err != nil || len(text) > 10_000 || strings.Contains(string(text), `\u001b`) {
			t.Errorf("%d bytes are shown of it, %v: %.300q", len(text), err, text)
		}
	}
	small()
	if err := f.owner(testType).SetAvailability(t.Context(), "board", api.Availability{State: api.Open}); err != nil {
		t.Error(err)
	}
	small()
}

// What a machine refuses with is shown on one line.
func TestGoneInOneLine(t *testing.T) {
	f := newFarm(t, Options{})
	f.joinWith("board", testType, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Error(w, "\x1b[2J"+strings.Repeat("no\n", 1000), http.StatusTeapot)
		})
	})
	f.await("it is gone", func() bool { return len(f.pool.snapshot().Gone) > 0 })
	if why := f.pool.snapshot().Gone[0].Why; len(why) > 1000 || strings.ContainsAny(why, "\x1b\n") || !strings.Contains(why, "418") {
		t.Errorf("why: %q", why)
	}
}

// A machine that is asked for its work directory and says it letter by letter
// is cut off: it would stay working for ever, with no instance.
func TestDripping(t *testing.T) {
	f := newFarm(t, Options{HeartbeatWait: time.Second})
	f.joinWith("board", testType, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/workdir" {
				next.ServeHTTP(w, r)
				return
			}
			for r.Context().Err() == nil {
				io.WriteString(w, "/")
				http.NewResponseController(w).Flush()
				time.Sleep(20 * time.Millisecond)
			}
		})
	})
	f.await("it is idle", func() bool { return f.host("board").State == api.HostIdle })
	ctx, cancel := context.WithCancel(t.Context())
	joe := f.client("joe")
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		joe.Create(ctx, api.CreateRequest{BuilderType: testBuilder}, nil)
	}()
	f.await("it is gone", func() bool { return len(f.pool.snapshot().Gone) > 0 })
	cancel()
	<-ended
}

// What a machine answers is no page of the coordinator's: its scripts would
// act with the key that the browser has.
func TestProxiedPagesAreHarmless(t *testing.T) {
	f := newFarm(t, Options{})
	f.joinWith("board", testType, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/page" {
				w.Header().Set("Content-Type", "text/html")
				w.Header().Set("Set-Cookie", "a=b")
				w.Header().Set("Content-Security-Policy", "script-src *")
				io.WriteString(w, "<script>1</script>")
				return
			}
			next.ServeHTTP(w, r)
		})
	})
	joe := f.client("joe")
	inst := f.create(joe)
	req, _ := http.NewRequestWithContext(t.Context(), "GET", joe.BuildletURL(inst.ID)+"/page", nil)
	req.SetBasicAuth("user-joe", f.master.Key("user-joe"))
	resp, err := joe.HTTP().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	h := resp.Header
	if h.Get("Content-Security-Policy") != "sandbox" || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Set-Cookie") != "" {
		t.Errorf("header: %v", h)
	}
}

// A link on some page, which a browser follows, ends no instance.
func TestGetHaltEndsNothing(t *testing.T) {
	f := newFarm(t, Options{})
	f.join("board", testType)
	joe := f.client("joe")
	inst := f.create(joe)
	req, _ := http.NewRequestWithContext(t.Context(), "GET", joe.BuildletURL(inst.ID)+"/halt", nil)
	req.SetBasicAuth("user-joe", f.master.Key("user-joe"))
	resp, err := joe.HTTP().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if _, err := joe.Instance(t.Context(), inst.ID); err != nil || resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("%s; the instance: %v", resp.Status, err)
	}
}

// What is remembered of a machine for the next coordinator is what holds now,
// whoever else has had a say at the same time.
func TestAvailabilityIsRecordedInOrder(t *testing.T) {
	mem := &slowStore{Store: store.NewMemory()}
	f := newFarm(t, Options{Store: mem})
	f.joinWith("board", testType, upstreams)
	f.await("it is idle", func() bool { return f.host("board").State == api.HostIdle })
	f.pool.mu.Lock()
	h := f.pool.hosts[0]
	f.pool.mu.Unlock()
	for range 20 {
		var work sync.WaitGroup
		for _, s := range []availability.State{api.Open, api.Paused, api.Open, api.Paused} {
			work.Go(func() {
				if _, err := f.setAvailability(t.Context(), h, api.Availability{State: s}); err != nil {
					t.Error(err)
				}
			})
		}
		work.Wait()
		list, err := mem.HostAvailabilities(t.Context())
		if now := f.host("board").State; err != nil || (len(list) == 1) != (now == api.HostPaused) {
			t.Fatalf("it is %s, recorded is %+v, %v", now, list, err)
		}
	}
}

// slowStore takes some time, now more, now less, after it has saved.
type slowStore struct {
	store.Store
	n atomic.Int32
}

func (s *slowStore) SaveHostAvailability(ctx context.Context, a store.HostAvailability) error {
	err := s.Store.SaveHostAvailability(ctx, a)
	time.Sleep(time.Duration(s.n.Add(1)*7%4) * time.Millisecond)
	return err
}

// Who asks and does not read the answer is not waited for.
func TestAnswerIsNotRead(t *testing.T) {
	f := newFarm(t, Options{AnswerWait: 200 * time.Millisecond})
	conn := f.dialRaw()
	many := strings.Repeat("GET "+api.RouteBuilders+"?mode=json HTTP/1.1\r\nHost: x\r\n\r\n", 100)
	for {
		if _, err := io.WriteString(conn, many); err != nil {
			if os.IsTimeout(err) {
				t.Errorf("the connection is held: %v", err)
			}
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// The time for an answer is no limit for a command, nor for the emptying of a
// machine.
func TestSlowAnswers(t *testing.T) {
	f := newFarm(t, Options{AnswerWait: 300 * time.Millisecond})
	f.joinWith("board", testType, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/release" {
				time.Sleep(time.Second)
			}
			next.ServeHTTP(w, r)
		})
	})
	joe := f.client("joe")
	inst := f.create(joe)
	var out strings.Builder
	state, err := f.onInstance(joe, "joe", inst.ID).Exec(t.Context(), "/bin/sh", buildlet.ExecOptions{SystemLevel: true, Output: &out,
		Args: []string{"-c", "sleep 0.5; echo one; sleep 0.5; echo two"}})
	if err != nil || !state.OK() || out.String() != "one\ntwo\n" {
		t.Errorf("the command: %v, %v, %q", state, err, out.String())
	}
	if err := joe.Destroy(t.Context(), inst.ID); err != nil {
		t.Errorf("destroy: %v", err)
	}
}
