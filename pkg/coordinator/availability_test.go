package coordinator

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"gobuild/pkg/api"
	"gobuild/pkg/buildlet"
	"gobuild/pkg/hint"
	"gobuild/pkg/plain"
	"gobuild/pkg/store"
)

// host returns what the pool shows of a machine.
func (f *testFarm) host(hostname string) api.Host {
	for _, h := range f.pool.snapshot().Hosts {
		if h.Hostname == hostname {
			return h
		}
	}
	return api.Host{}
}

// owner returns the API client of the owner of a machine.
func (f *testFarm) owner(hostType string) *api.Client {
	f.t.Helper()
	c, err := api.NewClient(api.ClientOptions{URL: "https://" + f.addr, User: hostType, Key: f.master.Key(hostType), Dialer: f.dialer})
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(c.Close)
	return c
}

// upstreams lets a machine look like one of upstream's.
func upstreams(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/status":
			fmt.Fprint(w, `{"Version":29}`)
		case "/claim", "/release", "/availability":
			http.NotFound(w, r)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// Through the coordinator, an owner pauses his machine: the pool says so, and
// does not hand it out until he resumes.
func TestOwnerPauses(t *testing.T) {
	for name, wrap := range map[string]func(http.Handler) http.Handler{"gobuild's": nil, "upstream's": upstreams} {
		t.Run(name, func(t *testing.T) {
			f := newFarm(t, Options{ProgressEvery: 10 * time.Millisecond})
			m := f.joinWith("board", testType, wrap)
			f.await("it is idle", func() bool { return f.host("board").State == api.HostIdle })
			owner := f.owner(testType)
			until := time.Now().Add(time.Hour)
			if err := owner.SetAvailability(t.Context(), "board", api.Availability{State: api.Paused, Until: until, Why: "back\nup"}); err != nil {
				t.Fatal(err)
			}
			want := "paused until " + until.UTC().Format("2006-01-02 15:04 MST") + " by its owner: back up"
			if h := f.host("board"); h.State != api.HostPaused || h.Why != want {
				t.Errorf("%s %q, want paused %q", h.State, h.Why, want)
			}
			_, body := f.get("/status")
			if !strings.Contains(body, want) {
				t.Errorf("the page does not say %q", want)
			}
			joe := f.client("joe")
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			told := make(chan string, 1000)
			made := make(chan error, 1)
			go func() {
				_, err := joe.Create(ctx, api.CreateRequest{BuilderType: testBuilder}, func(ev api.CreateEvent) {
					select {
					case told <- ev.Message:
					default:
					}
				})
				made <- err
			}()
			if text := <-told; !strings.Contains(text, "takes work") {
				t.Errorf("who waits is told %q", text)
			}
			if err := owner.SetAvailability(t.Context(), "board", api.Availability{State: api.Open}); err != nil {
				t.Fatal(err)
			}
			if err := <-made; err != nil {
				t.Errorf("after the pause: %v", err)
			}
			if err := owner.SetAvailability(t.Context(), "board", api.Availability{State: api.Paused}); err != nil {
				t.Fatal(err)
			}
			if h := f.host("board"); h.State != api.HostWorking || h.Why != "paused by its owner" {
				t.Errorf("paused while it works: %s %q", h.State, h.Why)
			}
			m.stop()
			f.await("it is gone", func() bool { return len(f.pool.snapshot().Gone) == 1 })
			if why := f.pool.snapshot().Gone[0].Why; !strings.HasPrefix(why, "paused by its owner; ") {
				t.Errorf("gone: %q", why)
			}
		})
	}
}

// What a machine of upstream's cannot keep itself outlives the coordinator as
// far as the store does.
func TestPauseIsRemembered(t *testing.T) {
	mem := store.NewMemory()
	f := newFarm(t, Options{Store: mem})
	m := f.joinWith("board", testType, upstreams)
	f.await("it is idle", func() bool { return f.host("board").State == api.HostIdle })
	if err := f.owner(testType).SetAvailability(t.Context(), "board", api.Availability{State: api.Paused}); err != nil {
		t.Fatal(err)
	}
	m.stop()
	f2 := newFarm(t, Options{Store: mem})
	f2.joinWith("board", testType, upstreams)
	f2.await("it is paused", func() bool { return f2.host("board").State == api.HostPaused })
	if err := f2.owner(testType).SetAvailability(t.Context(), "board", api.Availability{State: api.Open}); err != nil {
		t.Fatal(err)
	}
	if list, err := mem.HostAvailabilities(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("still remembered: %+v, %v", list, err)
	}
}

func TestAvailabilityRefusals(t *testing.T) {
	f := newFarm(t, Options{Maintainers: []string{"user-ann"}})
	f.join("board", testType)
	f.join("other", "host-linux-arm64")
	f.join("board", "host-linux-arm64")
	ctx := t.Context()
	paused := api.Availability{State: api.Paused}
	owner := f.owner(testType)

	wantAPIError(t, f.client("joe").SetAvailability(ctx, "board", paused), api.CodeForbidden, "user-joe")
	wantAPIError(t, owner.SetAvailability(ctx, "other", paused), api.CodeForbidden, "other", testType, "host-linux-arm64")
	err := owner.SetAvailability(ctx, "baord", paused)
	wantAPIError(t, err, api.CodeNotFound, "baord")
	if h := hint.Of(err); !strings.Contains(h, "board") {
		t.Errorf("hint %q does not name the nearest", h)
	}
	ann := f.client("ann")
	var addrs []string
	for _, h := range f.pool.snapshot().Hosts {
		if h.Hostname == "board" {
			addrs = append(addrs, h.Addr)
		}
	}
	wantAPIError(t, ann.SetAvailability(ctx, "board", paused), api.CodeConflict, addrs...)
	if err := ann.SetAvailability(ctx, "other", paused); err != nil {
		t.Errorf("a maintainer: %v", err)
	}
	if h := f.host("other"); h.Why != "paused by user-ann" {
		t.Errorf("why: %q", h.Why)
	}
	for _, a := range []api.Availability{
		{State: "dancing"}, {State: api.Quarantined}, {}, {State: api.Open, Until: time.Now().Add(time.Hour)},
		{State: api.Paused, Until: time.Now().Add(-time.Hour)}, {State: api.Paused, Until: time.Now().AddDate(100, 0, 0)},
		{State: api.Paused, Why: strings.Repeat("x", maxWhy+1)},
	} {
		wantAPIError(t, owner.SetAvailability(ctx, "board", a), api.CodeBadRequest)
	}
	nobody, err := api.NewClient(api.ClientOptions{URL: "https://" + f.addr, Dialer: f.dialer})
	if err != nil {
		t.Fatal(err)
	}
	defer nobody.Close()
	wantAPIError(t, nobody.SetAvailability(ctx, "board", paused), api.CodeUnauthorized)
}

// A machine that refuses its claim is put back, and the next one taken.
func TestRefusedClaim(t *testing.T) {
	f := newFarm(t, Options{HeartbeatEvery: time.Hour}) // the pool knows no better
	first := f.join("first", testType)
	f.join("second", testType)
	if err := first.srv.SetAvailability(buildlet.Availability{State: buildlet.Quarantined, Why: "no disk"}); err != nil {
		t.Fatal(err)
	}
	inst := f.create(f.client("joe"))
	if inst.Hostname != "second" {
		t.Errorf("the instance is on %s", inst.Hostname)
	}
	if h := f.host("first"); h.State != api.HostQuarantined || !strings.Contains(h.Why, "no disk") {
		t.Errorf("the first: %+v", h)
	}
	if got := inst.Additions; strings.Contains(strings.Join(got, " "), "claim") {
		t.Errorf("users are told of %q", got)
	}
	if r := first.srv.Report(); r.Instance != "" {
		t.Errorf("the first is held by %q", r.Instance)
	}
}

// A change is told at once, not with the next heartbeat.
func TestChangeIsToldAtOnce(t *testing.T) {
	f := newFarm(t, Options{HeartbeatEvery: time.Hour})
	srv, err := buildlet.New(buildlet.Options{WorkDir: t.TempDir(), Log: testLog()})
	if err != nil {
		t.Fatal(err)
	}
	w := &buildlet.Worker{Server: srv, Log: testLog(), Reverse: &buildlet.Reverse{
		Coordinator: f.addr, HostType: testType, Hostname: "board", Dialer: f.dialer, Log: testLog(),
		Key: func() (string, error) { return f.master.Key(testType), nil },
	}}
	ended := make(chan error, 1)
	go func() { ended <- w.Run(t.Context()) }()
	f.await("it is idle", func() bool { return f.host("board").State == api.HostIdle })
	joe := f.client("joe")
	inst := f.create(joe)
	if r := srv.Report(); r.State != buildlet.Working || r.Instance != inst.ID {
		t.Errorf("the buildlet's own report: %+v", r)
	}
	srv.SetAvailability(buildlet.Availability{State: buildlet.Draining, By: "its owner"})
	f.await("the pool knows", func() bool { return strings.Contains(f.host("board").Why, "draining by its owner") })
	if h := f.host("board"); h.State != api.HostWorking {
		t.Errorf("state %s", h.State)
	}
	if err := joe.Destroy(t.Context(), inst.ID); err != nil {
		t.Error(err)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("a drain ends with %v", err)
		}
	case <-time.After(patience):
		t.Fatal("it did not end")
	}
	f.await("it is gone", func() bool { return len(f.pool.snapshot().Gone) == 1 })
	if why := f.pool.snapshot().Gone[0].Why; !strings.HasPrefix(why, "draining by its owner; ") {
		t.Errorf("gone: %q", why)
	}
}

// What is for coordinators is out of users' reach.
func TestUsersCannotClaim(t *testing.T) {
	f := newFarm(t, Options{})
	m := f.join("board", testType)
	joe := f.client("joe")
	inst := f.create(joe)
	b := f.onInstance(joe, "joe", inst.ID)
	wantAPIError(t, b.Claim(t.Context(), "mine"), api.CodeForbidden, "/claim")
	_, err := b.Release(t.Context(), inst.ID)
	wantAPIError(t, err, api.CodeForbidden, "/release")
	_, err = b.SetAvailability(t.Context(), buildlet.Availability{State: buildlet.Paused})
	wantAPIError(t, err, api.CodeForbidden, "/availability")
	for _, path := range []string{"//claim", "/%2Fclaim", "/x/../claim", "/%63laim", "/claim/", "/..%2Fclaim", "/%2e/claim", "/claim%2F.", "/x%2F..%2Fclaim", "/%2E%2E/buildlet/claim"} {
		req, _ := http.NewRequestWithContext(t.Context(), "POST", joe.BuildletURL(inst.ID)+path+"?instance=mine", nil)
		req.SetBasicAuth("user-joe", f.master.Key("user-joe"))
		if resp, err := joe.HTTP().Do(req); err == nil {
			resp.Body.Close()
			if resp.StatusCode < 300 {
				t.Errorf("%s: %s", path, resp.Status)
			}
		}
	}
	if r := m.srv.Report(); r.Instance != inst.ID || r.Availability.State != buildlet.Open {
		t.Errorf("the machine: %+v", r)
	}
}

// Processes that an instance leaves behind are killed, logged and shown.
func TestStraysAreShown(t *testing.T) {
	if _, err := exec.LookPath("setsid"); err != nil {
		t.Skip(err)
	}
	f := newFarm(t, Options{})
	f.join("board", testType)
	joe := f.client("joe")
	inst := f.create(joe)
	var out bytes.Buffer
	_, err := f.onInstance(joe, "joe", inst.ID).Exec(t.Context(), "/bin/sh", buildlet.ExecOptions{Dir: ".", Output: &out,
		Args: []string{"-c", "env -i setsid sleep 600 >/dev/null 2>&1 & sleep 0.3"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := joe.Destroy(t.Context(), inst.ID); err != nil {
		t.Fatal(err)
	}
	h := f.host("board")
	if h.Strays != 1 || h.LastStrays == nil || h.LastStrays.Instance != inst.ID || !strings.Contains(strings.Join(h.LastStrays.Processes, " "), "(sleep)") {
		t.Errorf("strays: %d, %+v", h.Strays, h.LastStrays)
	}
	if _, body := f.get("/status"); !strings.Contains(body, "(sleep)") {
		t.Error("the page does not show them")
	}
}

// Of two machines with one name the older stays, if it answers, and both
// addresses are named.
func TestTwinIsRefused(t *testing.T) {
	f := newFarm(t, Options{})
	f.join("board", testType)
	older := f.host("board").Addr
	conn := f.dialRaw()
	header := f.goodHeader()
	header["X-Go-Builder-Hostname"] = "board"
	ask(t, conn, "/reverse", header)
	status, body := answer(t, conn)
	if status != http.StatusConflict || !strings.Contains(body, older) || !strings.Contains(body, conn.LocalAddr().String()) {
		t.Errorf("%d %q, want 409 with %s and %s", status, body, older, conn.LocalAddr())
	}
	h := f.host("board")
	if h.Addr != older || len(h.ClaimedBy) != 1 || h.ClaimedBy[0].Addr != conn.LocalAddr().String() || h.ClaimedBy[0].Times != 1 {
		t.Errorf("the older: %+v", h)
	}
	if _, page := f.get("/status"); !strings.Contains(page, conn.LocalAddr().String()) {
		t.Error("the page does not name the other")
	}
	// A worker of gobuild's does not give up: when the older has gone, it is in.
	f.joinWith("board", testType, nil)
	f.await("it has tried", func() bool { c := f.host("board").ClaimedBy; return len(c) == 1 && c[0].Times > 1 })
	f.pool.mu.Lock()
	first := f.pool.hosts[0]
	f.pool.mu.Unlock()
	first.evict(fmt.Errorf("the test wants it so"))
	f.await("one of them is back", func() bool { return f.host("board").State == api.HostIdle })
}

// A machine that does not answer gives way to one with its name.
func TestDeadTwinGivesWay(t *testing.T) {
	f := newFarm(t, Options{HeartbeatEvery: time.Hour})
	header := f.goodHeader()
	header["X-Go-Builder-Hostname"] = "board"
	conn, _ := f.register(header) // never dials back
	defer conn.Close()
	f.await("it is there", func() bool { return f.host("board").Addr != "" })
	f.join("board", testType)
	if why := f.pool.snapshot().Gone[0].Why; !strings.Contains(why, "under its name") {
		t.Errorf("gone: %q", why)
	}
}

// The same process takes its own place at once, even if its old link answers.
func TestSameProcessReturns(t *testing.T) {
	f := newFarm(t, Options{HeartbeatEvery: time.Hour})
	header := f.goodHeader()
	header["X-Gobuild-Process"] = "one and the same"
	first, _ := f.register(header)
	defer first.Close()
	f.await("it is there", func() bool { return f.host("raw").Addr != "" })
	before := f.host("raw").Addr
	second, _ := f.register(header)
	defer second.Close()
	if h := f.host("raw"); h.Addr == before {
		t.Errorf("still the old link: %+v", h)
	}
	if gone := f.pool.snapshot().Gone; len(gone) != 1 || !strings.Contains(gone[0].Why, "anew") {
		t.Errorf("gone: %+v", gone)
	}
}

func FuzzAvailability(f *testing.F) {
	f.Add([]byte(`{"state":"paused","until":"2030-01-01T00:00:00Z","why":"x"}`))
	f.Add([]byte(`{"state":"open"}`))
	f.Add([]byte(`{"state":"paused","why":"\u0000\u001b[31m"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var a api.Availability
		if json.Unmarshal(body, &a) != nil || checkAvailability(a, time.Now()) != nil {
			return
		}
		a.Why = plain.Line(a.Why, 0)
		if strings.ContainsAny(a.String(), "\n\r\x00\x1b") {
			t.Errorf("let through: %q", a.String())
		}
		if _, err := json.Marshal(a); err != nil {
			t.Errorf("%+v cannot be sent: %v", a, err)
		}
	})
}
