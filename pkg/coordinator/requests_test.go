package coordinator

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gobuild/pkg/api"
	"gobuild/pkg/botcert"
	"gobuild/pkg/store"
)

// owner is somebody with a machine and the key of its CSR.
type owner struct {
	key crypto.Signer
	api.NewRequest
}

// newOwner returns the owner of a machine of type testType, with an ECDSA key
// of his own.
func newOwner(t testing.TB, hostname string) *owner {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return ownerWith(t, hostname, key)
}

func ownerWith(t testing.TB, hostname string, key crypto.Signer) *owner {
	t.Helper()
	goos, rest, _ := strings.Cut(hostname, "-")
	goarch, _, _ := strings.Cut(rest, "-")
	return &owner{key, api.NewRequest{
		Hostname: hostname, Port: goos + "-" + goarch, HostType: testType,
		Contact: "joe@example.org", CSR: csrFor(t, hostname, key), Report: "ok   memory 1 GiB\n",
	}}
}

// csrFor returns the CSR that gobuild csr makes.
func csrFor(t testing.TB, hostname string, key crypto.Signer) string {
	t.Helper()
	name := botcert.FQDN(hostname)
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{Organization: []string{"Google"}, CommonName: name}, DNSNames: []string{name},
	}, key)
	if err != nil {
		t.Fatal(err)
	}
	return encodePEM("CERTIFICATE REQUEST", der)
}

// stranger returns the API client of somebody without a user's key.
func (f *testFarm) stranger() *api.Client {
	f.t.Helper()
	c, err := api.NewClient(api.ClientOptions{URL: "https://" + f.addr, Dialer: f.dialer})
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(c.Close)
	return c
}

// file files o's request, which has to succeed.
func (f *testFarm) file(o *owner) api.Request {
	f.t.Helper()
	req, err := f.stranger().FileRequest(f.t.Context(), o.NewRequest, o.key)
	if err != nil {
		f.t.Fatal(err)
	}
	return req
}

// status asks for o's request, which has to succeed.
func (f *testFarm) status(o *owner, id string) api.Request {
	f.t.Helper()
	req, err := f.stranger().Request(f.t.Context(), id, o.key)
	if err != nil {
		f.t.Fatal(err)
	}
	return req
}

func (f *testFarm) collect(o *owner, id string) api.Request {
	f.t.Helper()
	req, err := f.stranger().Collect(f.t.Context(), id, o.key)
	if err != nil {
		f.t.Fatal(err)
	}
	return req
}

var maintained = Options{Maintainers: []string{"user-ann", "user-bob"}}

// A request from its filing to the machine that works.
func TestRequestLife(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]*owner{
		"RSA":   ownerWith(t, "linux-amd64-joe", rsaKey),
		"ECDSA": newOwner(t, "linux-amd64-joe"),
	} {
		t.Run(name, func(t *testing.T) {
			var logged safeBuffer
			opts := maintained
			opts.Log = slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
			f := newFarm(t, opts)
			ann := f.client("ann")
			filed := f.file(o)
			if filed.ID != "linux-amd64-joe.1" || filed.State != api.RequestPending || filed.Turn != api.TurnMaintainer ||
				filed.CSR != o.CSR || filed.HostType != testType || filed.Created.IsZero() {
				t.Errorf("filed: %+v", filed)
			}
			if got := f.status(o, filed.ID); got != filed {
				t.Errorf("asked for: %+v, filed: %+v", got, filed)
			}
			shown, err := ann.Request(t.Context(), filed.ID, nil)
			if err != nil || shown != filed {
				t.Errorf("shown: %+v, %v", shown, err)
			}
			approved, err := ann.Approve(t.Context(), filed.ID, api.Approval{HostType: testType, Note: " welcome\n"})
			if err != nil || approved.State != api.RequestApproved || approved.Turn != api.TurnOwner || approved.DecidedBy != "user-ann" ||
				approved.Note != "welcome" || approved.BuilderKey != "" || !approved.Changed.After(filed.Changed) {
				t.Errorf("approved: %+v, %v", approved, err)
			}
			if !approved.Collected.IsZero() {
				t.Errorf("collected too early: %+v", approved)
			}
			// To look is not to collect.
			if got := f.status(o, filed.ID); got != approved {
				t.Errorf("asked for: %+v, approved: %+v", got, approved)
			}
			if shown, err := ann.Request(t.Context(), filed.ID, nil); err != nil || shown != approved {
				t.Errorf("shown: %+v, %v, approved: %+v", shown, err, approved)
			}
			got := f.collect(o, filed.ID)
			if got.Collected.IsZero() || got.BuilderKey != f.master.Key(testType) || got.HostType != testType || got.Note != "welcome" {
				t.Errorf("granted: %+v", got)
			}
			for what, list := range map[string]func() ([]api.Request, error){
				"list":     func() ([]api.Request, error) { return ann.Requests(t.Context(), false) },
				"list all": func() ([]api.Request, error) { return ann.Requests(t.Context(), true) },
			} {
				list, err := list()
				if err != nil || len(list) != 1 || list[0].ID != filed.ID || list[0].Contact != o.Contact || list[0].CSR != "" || list[0].Report != "" || list[0].BuilderKey != "" {
					t.Errorf("%s: %+v, %v", what, list, err)
				} else if list[0].Collected.IsZero() || list[0].Turn != api.TurnOwner {
					t.Errorf("%s, with the key handed out: %+v", what, list)
				}
			}
			// A machine of that name, but of another type, is not it.
			other := f.join(o.Hostname, "host-linux-arm64")
			if got := f.status(o, filed.ID); got.State != api.RequestApproved {
				t.Errorf("with another machine: %+v", got)
			}
			other.stop()
			f.await("the other machine is gone", func() bool { return len(f.pool.snapshot().Hosts) == 0 })
			m := f.join(o.Hostname, testType)
			f.await("its arrival is noted", func() bool { return f.status(o, filed.ID).State == api.RequestConnected })
			if got := f.collect(o, filed.ID); got.Turn != api.TurnNobody || got.BuilderKey == "" || got.Connected.IsZero() {
				t.Errorf("connected: %+v", got)
			}
			if list, err := ann.Requests(t.Context(), false); err != nil || len(list) != 0 {
				t.Errorf("list with nothing left to do: %+v, %v", list, err)
			}
			if list, err := ann.Requests(t.Context(), true); err != nil || len(list) != 1 {
				t.Errorf("list of all: %+v, %v", list, err)
			}
			m.stop()
			f.await("the machine is gone", func() bool { return len(f.pool.snapshot().Hosts) == 0 })
			if got := f.status(o, filed.ID); got.State != api.RequestConnected {
				t.Errorf("when it is gone again: %+v", got)
			}

			text := logged.String()
			for _, event := range []string{
				`msg="request filed" request=linux-amd64-joe.1 hostname=linux-amd64-joe port=linux-amd64 addr=127.0.0.1:`,
				`msg="request approved" request=linux-amd64-joe.1 hostname=linux-amd64-joe port=linux-amd64 by=user-ann hostType=` + testType + ` certificate=false`,
				`msg="builder key handed out" request=linux-amd64-joe.1 `,
				`msg="new machine connected" request=linux-amd64-joe.1 `,
			} {
				if !strings.Contains(text, event) {
					t.Errorf("the log has no %q:\n%s", event, text)
				}
			}
			for what, secret := range map[string]string{"builder key": f.master.Key(testType), "user's key": f.master.Key("user-ann"), "contact": o.Contact} {
				if strings.Contains(text, secret) {
					t.Errorf("the %s is in the log", what)
				}
			}
		})
	}
}

// wantRequestError checks the code of err, and parts of its text with its
// hint.
func wantRequestError(t *testing.T, err error, code api.Code, parts ...string) {
	t.Helper()
	e, ok := errors.AsType[*api.Error](err)
	if !ok || e.Code != code {
		t.Errorf("error %v (%T), want code %s", err, err, code)
		return
	}
	for _, part := range parts {
		if text := e.Message + " / " + e.Advice; !strings.Contains(text, part) {
			t.Errorf("error %q does not say %q", text, part)
		}
	}
}

// safeBuffer is a buffer for several goroutines.
type safeBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func TestFiledTwice(t *testing.T) {
	f := newFarm(t, maintained)
	o := newOwner(t, "linux-amd64-joe")
	first := f.file(o)
	o.Contact = "other@example.org"
	o.CSR = csrFor(t, o.Hostname, o.key) // ECDSA signatures differ
	if again := f.file(o); again != first {
		t.Errorf("first %+v, then %+v", first, again)
	}
	if _, err := f.client("ann").Approve(t.Context(), first.ID, api.Approval{Note: "yes"}); err != nil {
		t.Fatal(err)
	}
	if again := f.file(o); again.ID != first.ID || again.State != api.RequestApproved {
		t.Errorf("once approved: %+v", again)
	}
	other := newOwner(t, "linux-amd64-joe")
	_, err := f.stranger().FileRequest(t.Context(), other.NewRequest, other.key)
	wantRequestError(t, err, api.CodeConflict, "linux-amd64-joe.1", "approved", "another CSR's key", "reject --revoke linux-amd64-joe.1")
}

// Of many posts of one request, at once, one makes it.
func TestFiledTwiceAtOnce(t *testing.T) {
	f := newFarm(t, maintained)
	o := newOwner(t, "linux-amd64-joe")
	c := f.stranger()
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if req, err := c.FileRequest(context.Background(), o.NewRequest, o.key); err != nil || req.ID != "linux-amd64-joe.1" {
				t.Errorf("%+v, %v", req, err)
			}
		})
	}
	wg.Wait()
	if list, err := f.client("ann").Requests(t.Context(), true); err != nil || len(list) != 1 {
		t.Errorf("%+v, %v", list, err)
	}
	// Those that came second did not count as filed.
	if n := len(f.asked.filed.used[networkOf("127.0.0.1:1")]); n != 1 {
		t.Errorf("%d count as filed", n)
	}
}

// Of an approval and a rejection at once, one wins.
func TestDecidedAtOnce(t *testing.T) {
	opts := maintained
	opts.RequestsPerHour = 1000
	f := newFarm(t, opts)
	ann, bob := f.client("ann"), f.client("bob")
	for i := range 20 {
		id := f.file(newOwner(t, fmt.Sprintf("linux-amd64-joe%d", i))).ID
		var won atomic.Int64
		var wg sync.WaitGroup
		check := func(_ api.Request, err error) {
			if err == nil {
				won.Add(1)
				return
			}
			wantRequestError(t, err, api.CodeConflict, id)
		}
		wg.Go(func() { check(ann.Approve(context.Background(), id, api.Approval{HostType: testType})) })
		wg.Go(func() { check(bob.Reject(context.Background(), id, api.Rejection{Reason: "no"})) })
		wg.Wait()
		if won.Load() != 1 {
			t.Errorf("%s: %d decisions", id, won.Load())
		}
	}
}

func TestRequestsPerAddress(t *testing.T) {
	opts := maintained
	opts.RequestsPerHour = 2
	f := newFarm(t, opts)
	first := newOwner(t, "linux-amd64-joe0")
	f.file(first)
	f.file(newOwner(t, "linux-amd64-joe1"))
	o := newOwner(t, "linux-amd64-joe2")
	_, err := f.stranger().FileRequest(t.Context(), o.NewRequest, o.key)
	wantRequestError(t, err, api.CodeTooMany, "2 requests", "try again in 1h")
	f.file(first) // which is there

	resp := f.post(t, o, nil)
	if resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") < "3000" {
		t.Errorf("%s, %v", resp.Status, resp.Header)
	}
}

func TestFullQueue(t *testing.T) {
	f := newFarm(t, maintained)
	for i := range maxPending {
		if _, err := f.opts.Store.AddRequest(t.Context(), store.Request{Hostname: fmt.Sprint("linux-arm-joe", i), Port: "linux-arm"}, maxPending); err != nil {
			t.Fatal(err)
		}
	}
	o := newOwner(t, "linux-amd64-joe")
	_, err := f.stranger().FileRequest(t.Context(), o.NewRequest, o.key)
	wantRequestError(t, err, api.CodeUnavailable, "1000 requests wait", "maintainer")
	if n := len(f.asked.filed.used); n != 0 {
		t.Errorf("%d count as filed", n)
	}
	if list, err := f.client("ann").Requests(t.Context(), false); err != nil || len(list) != maxPending {
		t.Errorf("%d in the list, %v", len(list), err)
	}
	_, page := f.get("/status")
	if n := strings.Count(page, "<td>linux-arm-joe"); n != maxAsked || !strings.Contains(page, "And 900 more.") {
		t.Errorf("the page shows %d", n)
	}
}

// Who may do what.
func TestRequestAccess(t *testing.T) {
	f := newFarm(t, maintained)
	o, other := newOwner(t, "linux-amd64-joe"), newOwner(t, "linux-amd64-jane")
	id := f.file(o).ID
	f.file(other)
	machine, err := api.NewClient(api.ClientOptions{URL: "https://" + f.addr, User: testType, Key: f.master.Key(testType), Dialer: f.dialer})
	if err != nil {
		t.Fatal(err)
	}
	defer machine.Close()
	joe, nobody := f.client("joe"), f.stranger()
	ctx := t.Context()
	for _, tt := range []struct {
		name  string
		call  func() error
		code  api.Code
		parts []string
	}{
		{"list by a user", func() error { _, err := joe.Requests(ctx, true); return err }, api.CodeForbidden, []string{"user-joe", "the maintainers are user-ann, user-bob"}},
		{"list by a machine", func() error { _, err := machine.Requests(ctx, true); return err }, api.CodeForbidden, []string{testType, "user-ann"}},
		{"list by a stranger", func() error { _, err := nobody.Requests(ctx, true); return err }, api.CodeUnauthorized, []string{"key"}},
		{"show to a user", func() error { _, err := joe.Request(ctx, id, nil); return err }, api.CodeForbidden, []string{"user-joe"}},
		{"show to a stranger", func() error { _, err := nobody.Request(ctx, id, nil); return err }, api.CodeUnauthorized, []string{"key"}},
		{"show to another owner", func() error { _, err := nobody.Request(ctx, id, other.key); return err }, api.CodeUnauthorized, []string{"not that of the CSR's private key", id}},
		{"show to another owner who is a user", func() error { _, err := f.client("ann").Request(ctx, id, other.key); return err }, api.CodeUnauthorized, []string{"not that of the CSR's private key"}},
		{"collect as a user", func() error { _, err := joe.Collect(ctx, id, nil); return err }, api.CodeUnauthorized, []string{"none came"}},
		{"collect as a maintainer", func() error { _, err := f.client("ann").Collect(ctx, id, nil); return err }, api.CodeUnauthorized, []string{"none came"}},
		{"collect as another owner", func() error { _, err := nobody.Collect(ctx, id, other.key); return err }, api.CodeUnauthorized, []string{"not that of the CSR's private key", id}},
		{"unknown, to an owner", func() error { _, err := nobody.Request(ctx, "linux-amd64-joe.2", o.key); return err }, api.CodeNotFound, []string{`"linux-amd64-joe.2"`}},
		{"unknown, to a maintainer", func() error { _, err := f.client("ann").Request(ctx, "linux-amd64-joe", nil); return err }, api.CodeNotFound, []string{"a host name and a number"}},
		{"approve by a user", func() error { _, err := joe.Approve(ctx, id, api.Approval{HostType: testType}); return err }, api.CodeForbidden, []string{"user-joe"}},
		{"approve by a stranger", func() error { _, err := nobody.Approve(ctx, id, api.Approval{HostType: testType}); return err }, api.CodeUnauthorized, nil},
		{"reject by a user", func() error { _, err := joe.Reject(ctx, id, api.Rejection{Reason: "x"}); return err }, api.CodeForbidden, []string{"user-joe"}},
		{"approve the unknown", func() error {
			_, err := f.client("bob").Approve(ctx, "x.1", api.Approval{HostType: testType})
			return err
		}, api.CodeNotFound, []string{`"x.1"`}},
		{"reject the unknown", func() error { _, err := f.client("bob").Reject(ctx, "x.1", api.Rejection{Reason: "x"}); return err }, api.CodeNotFound, []string{`"x.1"`}},
	} {
		t.Run(tt.name, func(t *testing.T) { wantRequestError(t, tt.call(), tt.code, tt.parts...) })
	}
	if got := f.status(o, id); got.State != api.RequestPending {
		t.Errorf("after all that: %+v", got)
	}
}

func TestMaintainersOfAFarm(t *testing.T) {
	o := newOwner(t, "linux-amd64-joe")
	f := newFarm(t, Options{})
	_, err := f.stranger().FileRequest(t.Context(), o.NewRequest, o.key)
	wantRequestError(t, err, api.CodeUnavailable, "nobody could decide", "--maintainer NAME")
	_, err = f.client("joe").Requests(t.Context(), false)
	wantRequestError(t, err, api.CodeForbidden, "none is named yet", "--maintainer NAME")

	f = newFarm(t, Options{Dev: true})
	f.file(o)
	if list, err := f.client("joe").Requests(t.Context(), false); err != nil || len(list) != 1 {
		t.Errorf("%+v, %v", list, err)
	}
	machine, err := api.NewClient(api.ClientOptions{URL: "https://" + f.addr, User: testType, Key: f.master.Key(testType), Dialer: f.dialer})
	if err != nil {
		t.Fatal(err)
	}
	defer machine.Close()
	_, err = machine.Requests(t.Context(), false)
	wantRequestError(t, err, api.CodeForbidden, testType)
}

// The page shows who waits, and nothing that is private.
func TestRequestsOnPage(t *testing.T) {
	f := newFarm(t, maintained)
	if _, page := f.get("/status"); !strings.Contains(page, "New machines") || !strings.Contains(page, "None waits to be taken in.") {
		t.Errorf("page:\n%s", page)
	}
	o := newOwner(t, "linux-amd64-joe")
	o.Contact, o.Report = `<script>alert("contact")</script>`, `<img src=x onerror=alert("report")>`
	id := f.file(o).ID
	if _, err := f.client("ann").Approve(t.Context(), id, api.Approval{HostType: testType, Note: "<b>note</b>"}); err != nil {
		t.Fatal(err)
	}
	_, page := f.get("/status")
	for _, part := range []string{"<td>linux-amd64-joe<td>linux-amd64<td>approved for 0s<td>0s ago<td>owner</tr>"} {
		if !strings.Contains(page, part) {
			t.Errorf("the page has no %q:\n%s", part, page)
		}
	}
	for _, private := range []string{"alert", "CERTIFICATE", "note", "user-ann", f.master.Key(testType)} {
		if strings.Contains(page, private) {
			t.Errorf("the page has %q", private)
		}
	}
	f.join(o.Hostname, testType)
	f.await("it waits no more", func() bool {
		_, page := f.get("/status")
		return strings.Contains(page, "None waits to be taken in.")
	})
}

// brokenStore fails with all that is about requests.
type brokenStore struct{ store.Store }

var errBroken = errors.New("disk on fire")

func (brokenStore) AddRequest(context.Context, store.Request, int) (store.Request, error) {
	return store.Request{}, errBroken
}
func (brokenStore) ChangeRequest(context.Context, string, func(*store.Request) error) (store.Request, error) {
	return store.Request{}, errBroken
}
func (brokenStore) Request(context.Context, string) (store.Request, error) {
	return store.Request{}, errBroken
}
func (brokenStore) NoteConnected(context.Context, string, string, time.Time) (string, error) {
	return "", errBroken
}
func (brokenStore) Requests(context.Context) ([]store.Request, error) { return nil, errBroken }

func TestRequestsWithoutStore(t *testing.T) {
	opts := maintained
	opts.Store = brokenStore{store.NewMemory()}
	f := newFarm(t, opts)
	o, ann := newOwner(t, "linux-amd64-joe"), f.client("ann")
	_, err := f.stranger().FileRequest(t.Context(), o.NewRequest, o.key)
	wantRequestError(t, err, api.CodeInternal, "store the request", "disk on fire")
	_, err = f.stranger().Request(t.Context(), "linux-amd64-joe.1", o.key)
	wantRequestError(t, err, api.CodeInternal, "linux-amd64-joe.1", "disk on fire")
	_, err = ann.Requests(t.Context(), false)
	wantRequestError(t, err, api.CodeInternal, "disk on fire")
	_, err = ann.Reject(t.Context(), "linux-amd64-joe.1", api.Rejection{Reason: "no"})
	wantRequestError(t, err, api.CodeInternal, "disk on fire")
	f.join("linux-amd64-joe", testType) // is taken in all the same
	if status, page := f.get("/status"); status != 200 || !strings.Contains(page, "The requests could not be read") {
		t.Errorf("%d:\n%s", status, page)
	}
}

// post sends o's request by hand, changed on the way.
func (f *testFarm) post(t *testing.T, o *owner, change func(*http.Request)) *http.Response {
	t.Helper()
	body, err := json.Marshal(o.NewRequest)
	if err != nil {
		t.Fatal(err)
	}
	return f.send(t, "POST", api.RouteRequests, body, o.key, change)
}

// send sends a proven request by hand, changed on the way.
func (f *testFarm) send(t *testing.T, method, path string, body []byte, key crypto.Signer, change func(*http.Request)) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "https://"+f.addr+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if err := api.Prove(req, body, key, time.Now()); err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(req)
	}
	resp, err := f.stranger().HTTP().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

// wantRefusal checks that resp is an error of the API with all parts.
func wantRefusal(t *testing.T, resp *http.Response, code api.Code, parts ...string) {
	t.Helper()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	err = api.ParseError(resp, body)
	if err == nil {
		t.Errorf("%s: %s", resp.Status, body)
		return
	}
	wantRequestError(t, err, code, parts...)
}

// What a thief, a liar or a broken clock sends.
func TestRequestProofs(t *testing.T) {
	f := newFarm(t, maintained)
	o, other := newOwner(t, "linux-amd64-joe"), newOwner(t, "linux-amd64-jane")
	at := func(shift time.Duration) func(*http.Request) {
		return func(r *http.Request) {
			body, _ := json.Marshal(o.NewRequest)
			if err := api.Prove(r, body, o.key, time.Now().Add(shift)); err != nil {
				t.Error(err)
			}
		}
	}
	setBody := func(r *http.Request, body []byte) {
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	}
	for _, tt := range []struct {
		name   string
		change func(*http.Request)
		code   api.Code
		parts  []string
	}{
		{"no proof", func(r *http.Request) { r.Header.Del(api.HeaderProof) }, api.CodeUnauthorized, []string{"none came"}},
		{"old", at(-11 * time.Minute), api.CodeUnauthorized, []string{"proof is 11m", "old by", "set the clock"}},
		{"early", at(11 * time.Minute), api.CodeUnauthorized, []string{"ahead", "set the clock"}},
		{"another's key", func(r *http.Request) {
			body, _ := json.Marshal(o.NewRequest)
			api.Prove(r, body, other.key, time.Now())
		}, api.CodeUnauthorized, []string{"not that of the CSR's private key"}},
		{"body changed", func(r *http.Request) {
			changed := o.NewRequest
			changed.Contact = "thief@example.org"
			body, _ := json.Marshal(changed)
			setBody(r, body)
		}, api.CodeUnauthorized, []string{"not that of the CSR's private key"}},
		{"body of another", func(r *http.Request) {
			body, _ := json.Marshal(other.NewRequest)
			setBody(r, body)
		}, api.CodeUnauthorized, []string{"not that of the CSR's private key"}},
		{"given to another server that passes it on", func(r *http.Request) {
			r.Host = "evil.example"
			at(0)(r)
		}, api.CodeUnauthorized, []string{"evil.example", "no name of this coordinator's certificate"}},
		{"given to another server that passes it on under our name", func(r *http.Request) {
			r.Host = "evil.example"
			at(0)(r)
			r.Host = f.addr
		}, api.CodeUnauthorized, []string{"not that of the CSR's private key", f.addr}},
		{"a maintainer's key in its place", func(r *http.Request) {
			r.Header.Del(api.HeaderProof)
			r.SetBasicAuth("user-ann", f.master.Key("user-ann"))
		}, api.CodeUnauthorized, []string{"none came"}},
	} {
		t.Run(tt.name, func(t *testing.T) { wantRefusal(t, f.post(t, o, tt.change), tt.code, tt.parts...) })
	}
	if list, err := f.client("ann").Requests(t.Context(), true); err != nil || len(list) != 0 {
		t.Errorf("filed: %+v, %v", list, err)
	}

	// Two requests with one key: what proves for one does not for the other.
	id := f.file(o).ID
	twin := ownerWith(t, "linux-amd64-joe-2", o.key)
	twinID := f.file(twin).ID
	resp := f.send(t, "GET", api.RequestPath(id, ""), nil, o.key, func(r *http.Request) { r.URL.Path = api.RequestPath(twinID, "") })
	wantRefusal(t, resp, api.CodeUnauthorized, twinID)
	// And what proves for a filing does not for a look, nor for a decision.
	resp = f.post(t, o, func(r *http.Request) {
		r.Method, r.Body, r.ContentLength = "GET", nil, 0
		r.URL.Path = api.RequestPath(id, "")
	})
	wantRefusal(t, resp, api.CodeUnauthorized, id)
	resp = f.send(t, "GET", api.RequestPath(id, ""), nil, o.key, func(r *http.Request) {
		r.Method, r.URL.Path = "POST", api.RequestPath(id, api.PathCollect)
	})
	wantRefusal(t, resp, api.CodeUnauthorized, id)
	resp = f.send(t, "POST", api.RequestPath(id, api.PathApprove), []byte(`{"note":"me"}`), o.key, nil)
	wantRefusal(t, resp, api.CodeUnauthorized, "key")
}

func TestRequestsNeedTLS(t *testing.T) {
	f := newFarm(t, maintained)
	o := newOwner(t, "linux-amd64-joe")
	id := f.file(o).ID
	plain := httptest.NewServer(f.Coordinator)
	defer plain.Close()
	req, _ := http.NewRequest("GET", plain.URL+api.RequestPath(id, ""), nil)
	api.Prove(req, nil, o.key, time.Now())
	resp, err := plain.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	wantRefusal(t, resp, api.CodeUpgradeNeeded, "TLS")
}
