package buildlet

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// supervised is a worker under a supervisor, which is the test.
type supervised struct {
	t      *testing.T
	worker *Worker
	orders *io.PipeWriter
	mu     sync.Mutex
	seen   []Report
	ended  chan error
	cancel context.CancelFunc
}

// superviseWorker starts a worker that registers with p, and orders it to take
// work.
func superviseWorker(t *testing.T, p *peer, opts Options) *supervised {
	t.Helper()
	s := superviseSilently(t, p, opts)
	s.order(Availability{State: Open})
	return s
}

// superviseSilently starts a worker that has no order yet.
func superviseSilently(t *testing.T, p *peer, opts Options) *supervised {
	t.Helper()
	opts.WorkDir = t.TempDir()
	opts.Log = testLog()
	srv, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	ctx, cancel := context.WithCancel(context.Background())
	s := &supervised{t: t, orders: inW, ended: make(chan error, 1), cancel: cancel}
	s.worker = &Worker{Server: srv, Log: testLog(), Reverse: &Reverse{
		Coordinator: p.addr, HostType: "host-x-y", Hostname: "board", Dialer: p.dialer, Log: testLog(),
		Key: func() (string, error) { return "the key", nil },
	}}
	read := make(chan struct{})
	go func() {
		defer close(read)
		for sc := bufio.NewScanner(outR); sc.Scan(); {
			var r Report
			if err := json.Unmarshal(sc.Bytes(), &r); err != nil {
				t.Errorf("report %q: %v", sc.Text(), err)
			}
			s.mu.Lock()
			s.seen = append(s.seen, r)
			s.mu.Unlock()
		}
	}()
	go func() {
		err := s.worker.RunSupervised(ctx, inR, outW)
		outW.Close()
		<-read
		s.ended <- err
	}()
	t.Cleanup(func() {
		inW.Close()
		cancel()
		select {
		case <-s.ended:
		case <-time.After(patience):
			t.Error("the worker did not end")
		}
	})
	return s
}

// last returns the newest Report.
func (s *supervised) last() Report {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.seen) == 0 {
		return Report{}
	}
	return s.seen[len(s.seen)-1]
}

// order sends an Order.
func (s *supervised) order(a Availability) {
	s.t.Helper()
	if err := json.NewEncoder(s.orders).Encode(Order{a}); err != nil {
		s.t.Fatal(err)
	}
}

// end waits for the worker's end.
func (s *supervised) end() error {
	s.t.Helper()
	select {
	case err := <-s.ended:
		s.ended <- err
		return err
	case <-time.After(patience):
		s.t.Fatal("the worker did not end")
		return nil
	}
}

// A supervisor is told what its worker does, from the first attempt to
// register on.
func TestSupervisedReports(t *testing.T) {
	p := newPeer(t, nil)
	s := superviseWorker(t, p, Options{})
	d := p.link()
	await(t, "it is connecting", func() bool { return s.last().State == Connecting })
	if r := s.last(); r.Why == "" || !r.Registered.IsZero() {
		t.Errorf("report before the first status: %+v", r)
	}
	c := p.over(d)
	if _, err := c.Status(t.Context()); err != nil {
		t.Fatal(err)
	}
	await(t, "it is idle", func() bool { return s.last().State == Idle })
	if r := s.last(); r.Registered.IsZero() || r.Since.IsZero() || r.Availability.State != Open {
		t.Errorf("report when idle: %+v", r)
	}
	running := make(chan struct{})
	ended := make(chan error, 1)
	go func() {
		_, err := c.Exec(t.Context(), "sleep", ExecOptions{SystemLevel: true, Args: []string{"600"}, OnStart: func() { close(running) }})
		ended <- err
	}()
	<-running
	await(t, "it works", func() bool { r := s.last(); return r.State == Working && r.Commands == 1 })
	d.Close()
	<-ended
	await(t, "it is connecting again", func() bool { return s.last().State == Connecting && s.last().Why != "" })
	d = p.link()
	if _, err := p.over(d).Status(t.Context()); err != nil {
		t.Fatal(err)
	}
	await(t, "it is idle again", func() bool { return s.last().State == Idle })
	s.orders.Close()
	if err := s.end(); err != nil {
		t.Errorf("the end of its orders ends it with %v", err)
	}
	if r := s.last(); r.State != Ending || !strings.Contains(r.Why, "supervisor") {
		t.Errorf("last report: %+v", r)
	}
}

// A worker that is refused says so in its last report, and returns the
// refusal.
func TestSupervisedRefusal(t *testing.T) {
	p := newPeer(t, func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "invalid build key", http.StatusPreconditionFailed)
	})
	s := superviseWorker(t, p, Options{})
	err := s.end()
	if err == nil || !strings.Contains(err.Error(), "invalid build key") {
		t.Errorf("error %v", err)
	}
	if r := s.last(); r.State != Connecting || !strings.Contains(r.Why, "invalid build key") {
		t.Errorf("last report: %+v", r)
	}
}

// A refusal because of another machine of the same name is not the end.
func TestSupervisedConflict(t *testing.T) {
	var mu sync.Mutex
	refuse := true
	var p *peer
	p = newPeer(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if refuse {
			http.Error(w, "board is connected from 192.0.2.1:99 already", http.StatusConflict)
			return
		}
		p.register(w, r)
	})
	s := superviseWorker(t, p, Options{})
	await(t, "the report says why", func() bool { return strings.Contains(s.last().Why, "192.0.2.1:99") })
	mu.Lock()
	refuse = false
	mu.Unlock()
	if _, err := p.over(p.link()).Status(t.Context()); err != nil {
		t.Fatal(err)
	}
	await(t, "it is idle", func() bool { return s.last().State == Idle })
}

// Orders change what coordinators are told; a drain ends the worker once
// nobody holds it.
func TestSupervisedOrders(t *testing.T) {
	p := newPeer(t, nil)
	s := superviseWorker(t, p, Options{})
	c := p.over(p.link())
	until := time.Now().Add(time.Hour).Round(time.Second)
	io.WriteString(s.orders, "hello\n{\"availability\":{\"state\":\"dancing\"}}\n{}\n"+strings.Repeat("x", 2*maxOrder)+"\n")
	s.order(Availability{State: Paused, Until: until, By: "its owner", Why: "holi\ndays"})
	await(t, "the report says paused", func() bool { return s.last().Availability.State == Paused })
	status, err := c.Status(t.Context())
	if a := status.Availability; err != nil || a.State != Paused || !a.Until.Equal(until) || a.By != "its owner" || a.Why != "holi days" {
		t.Errorf("status: %+v, %v", status, err)
	}
	var refused *RefusedClaim
	if err := c.Claim(t.Context(), "joe-x-0"); !asErr(err, &refused) || refused.Availability.State != Paused || !refused.Availability.Until.Equal(until) {
		t.Errorf("claim of a paused machine: %v", err)
	}
	s.order(Availability{State: Paused, Until: time.Now().Add(50 * time.Millisecond)})
	await(t, "the pause ends by itself", func() bool { return s.last().Availability.State == Open })
	if err := c.Claim(t.Context(), "joe-x-0"); err != nil {
		t.Fatal(err)
	}
	await(t, "the report names the instance", func() bool { r := s.last(); return r.State == Working && r.Instance == "joe-x-0" })
	s.order(Availability{State: Draining, By: "its owner"})
	await(t, "the report says draining", func() bool { return s.last().Availability.State == Draining })
	if err := os.WriteFile(s.worker.Server.work+"/left", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if r := s.last(); r.State != Working {
		t.Errorf("a drain does not wait for the instance: %+v", r)
	}
	if _, err := c.Release(t.Context(), "joe-x-0"); err != nil {
		t.Errorf("release: %v", err)
	}
	if left := names(t, s.worker.Server.work); len(left) != 0 {
		t.Errorf("left in the work directory: %q", left)
	}
	if err := s.end(); err != nil {
		t.Errorf("a drain ends with %v", err)
	}
	if r := s.last(); r.State != Ending || !strings.Contains(r.Why, "drained") {
		t.Errorf("last report: %+v", r)
	}
}

// A machine whose owner has paused it is never seen to take work, not even
// for the moment between its registration and the order.
func TestSupervisedFirstOrder(t *testing.T) {
	p := newPeer(t, nil)
	s := superviseSilently(t, p, Options{})
	await(t, "it waits", func() bool {
		r := s.last()
		return r.State == Connecting && strings.Contains(r.Why, "first order")
	})
	select {
	case <-p.links:
		t.Fatal("it registers before its first order")
	case <-time.After(time.Second / 2):
	}
	s.order(Availability{State: Paused, By: "its owner"})
	c := p.over(p.link())
	if status, err := c.Status(t.Context()); err != nil || status.Availability.State != Paused {
		t.Errorf("the first status: %+v, %v", status, err)
	}
	if err := c.Claim(t.Context(), "joe-x-0"); err == nil {
		t.Error("it is claimed")
	}
}

// A supervisor that ends before it has given an order ends its worker, too.
func TestSupervisorGoesWithoutOrder(t *testing.T) {
	p := newPeer(t, nil)
	s := superviseSilently(t, p, Options{})
	await(t, "it waits", func() bool { return s.last().State == Connecting })
	s.orders.Close()
	if err := s.end(); err != nil {
		t.Error(err)
	}
	if r := s.last(); r.State != Ending || !strings.Contains(r.Why, "supervisor") {
		t.Errorf("last report: %+v", r)
	}
}

// What is asked for by way of the coordinator is the supervisor's to decide.
func TestSupervisedWish(t *testing.T) {
	p := newPeer(t, nil)
	s := superviseWorker(t, p, Options{})
	c := p.over(p.link())
	answer, err := c.SetAvailability(t.Context(), Availability{State: Paused, By: "user-ann", Why: "noise"})
	if err != nil || answer.Decides == "" || answer.Availability.State != Open {
		t.Errorf("answer %+v, %v", answer, err)
	}
	await(t, "the wish is reported", func() bool { w := s.last().Wish; return w != nil && w.State == Paused && w.By == "user-ann" })
	s.order(*s.last().Wish)
	await(t, "the wish is granted", func() bool { r := s.last(); return r.Wish == nil && r.Availability.State == Paused })
}

// Without a supervisor it is done at once, and told to the coordinator by the
// gate's word too.
func TestAvailabilityUnsupervised(t *testing.T) {
	var mu sync.Mutex
	why := ""
	s := serve(t, Options{Gate: func() string { mu.Lock(); defer mu.Unlock(); return why }})
	c := s.client()
	shut := func(text string) { mu.Lock(); why = text; mu.Unlock() }
	if answer, err := c.SetAvailability(t.Context(), Availability{State: Paused}); err != nil || answer.Decides != "" || answer.Availability.State != Paused {
		t.Errorf("answer %+v, %v", answer, err)
	}
	shut("only 1 byte is free")
	if status, err := c.Status(t.Context()); err != nil || status.Availability.State != Paused {
		t.Errorf("the owner's word goes first: %+v, %v", status, err)
	}
	c.SetAvailability(t.Context(), Availability{State: Open})
	status, err := c.Status(t.Context())
	if a := status.Availability; err != nil || a.State != Quarantined || a.Why != "only 1 byte is free" || a.Since.IsZero() {
		t.Errorf("status with a shut gate: %+v, %v", status, err)
	}
	var refused *RefusedClaim
	if err := c.Claim(t.Context(), "joe-x-0"); !asErr(err, &refused) || !strings.Contains(err.Error(), "1 byte") {
		t.Errorf("claim with a shut gate: %v", err)
	}
	shut("")
	if err := c.Claim(t.Context(), "joe-x-0"); err != nil {
		t.Errorf("claim with an open gate: %v", err)
	}
	if _, err := c.Release(t.Context(), "joe-x-1"); err == nil || !strings.Contains(err.Error(), "joe-x-0 holds") {
		t.Errorf("release of another instance: %v", err)
	}
	for body, want := range map[string]string{"": "not JSON", "{}": "no state", `{"state":"x"}`: "unknown state", `{"state":"open","until":"2030-01-01T00:00:00Z"}`: "only a pause"} {
		resp := s.send("POST", "/availability", strings.NewReader(body), "application/json")
		text, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != 400 || !strings.Contains(string(text), want) {
			t.Errorf("%q: %d %q, want 400 with %q", body, resp.StatusCode, text, want)
		}
	}
	for _, path := range []string{"/claim", "/release"} {
		if status, _ := s.do("POST", path, nil); status != 400 {
			t.Errorf("POST %s without an instance: %d", path, status)
		}
		if status, _ := s.do("GET", path+"?instance=x", nil); status != 400 {
			t.Errorf("GET %s: %d", path, status)
		}
	}
}

// A coordinator that does not claim, as upstream's, is judged by its requests.
func TestHeldWithoutClaim(t *testing.T) {
	s := serve(t, Options{})
	if s.Report().State != Idle {
		t.Errorf("at first: %+v", s.Report())
	}
	s.client().Status(t.Context())
	if s.Report().State != Idle {
		t.Errorf("after a heartbeat: %+v", s.Report())
	}
	s.client().WorkDir(t.Context())
	if s.Report().State != Working {
		t.Errorf("after a request: %+v", s.Report())
	}
	s.duty.mu.Lock()
	s.duty.used = time.Now().Add(-heldAfterUse)
	s.duty.mu.Unlock()
	if s.Report().State != Idle {
		t.Errorf("a minute later: %+v", s.Report())
	}
}

// A supervisor that does not read holds nothing up.
func TestSupervisorThatDoesNotRead(t *testing.T) {
	p := newPeer(t, nil)
	srv, err := New(Options{WorkDir: t.TempDir(), Log: testLog()})
	if err != nil {
		t.Fatal(err)
	}
	w := &Worker{Server: srv, Log: testLog(), Reverse: &Reverse{
		Coordinator: p.addr, HostType: "host-x-y", Hostname: "board", Dialer: p.dialer, Log: testLog(),
		Key: func() (string, error) { return "the key", nil },
	}}
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	defer outR.Close()
	ended := make(chan error, 1)
	go func() { ended <- w.RunSupervised(t.Context(), inR, outW) }()
	io.WriteString(inW, `{"availability":{"state":"open"}}`+"\n")
	c := p.over(p.link())
	if err := c.Claim(t.Context(), "x"); err != nil {
		t.Error(err)
	}
	inW.Close()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Error("it waits for its supervisor")
	}
}

func asErr[E error](err error, target *E) bool {
	e, ok := err.(E)
	if ok {
		*target = e
	}
	return ok
}

func FuzzOrder(f *testing.F) {
	f.Add([]byte(`{"availability":{"state":"paused","until":"2030-01-01T00:00:00Z","by":"x","why":"y"}}`))
	f.Add([]byte(`{"availability":{"state":"open"},"new":1}`))
	f.Add([]byte(`{"availability":{"state":"paused","until":"0000-01-01T00:00:00Z"}}`))
	f.Add([]byte("[]"))
	f.Fuzz(func(t *testing.T, line []byte) {
		if o, ok := parseOrder(line); ok {
			checkAvailability(t, o.Availability)
		}
		if a, err := parseAvailability(line, time.Now()); err == nil {
			checkAvailability(t, a)
		}
		readOrders(strings.NewReader(string(line)+"\n"), func(o Order) { checkAvailability(t, o.Availability) })
	})
}

// checkAvailability checks what was let through: it can be sent on and shown.
func checkAvailability(t *testing.T, a Availability) {
	text, err := json.Marshal(Report{Availability: a})
	if err != nil {
		t.Fatalf("%+v cannot be sent: %v", a, err)
	}
	if len(text) > maxAvailability || strings.ContainsAny(a.Why+a.By, "\n\r\x1b\x00") || len(a.Why) > maxWhy || len(a.By) > maxBy {
		t.Errorf("let through: %s", text)
	}
}
