package coordinator

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gobuild/pkg/api"
	"gobuild/pkg/buildlet"
	"gobuild/pkg/hint"
)

// wantAPIError checks the code and parts of the text of err.
func wantAPIError(t *testing.T, err error, code api.Code, parts ...string) {
	t.Helper()
	var e *api.Error
	if !errors.As(err, &e) {
		t.Errorf("error %v (%T), want an *api.Error", err, err)
		return
	}
	if e.Code != code {
		t.Errorf("error %v has code %s, want %s", e, e.Code, code)
	}
	for _, part := range parts {
		if !strings.Contains(e.Message, part) {
			t.Errorf("error %q does not say %q", e.Message, part)
		}
	}
}

func TestInstanceLife(t *testing.T) {
	f := newFarm(t, Options{})
	m := f.join("board", testType)
	joe := f.client("joe")
	ctx := t.Context()

	inst := f.create(joe)
	if inst.ID != "joe-linux-amd64-0" || inst.Hostname != "board" || inst.WorkDir != m.work || inst.Owner != "user-joe" {
		t.Errorf("created %+v", inst)
	}
	list, err := joe.Instances(ctx)
	if err != nil || len(list) != 1 || list[0].ID != inst.ID {
		t.Errorf("list: %+v, %v", list, err)
	}
	hosts := f.pool.snapshot().Hosts
	if len(hosts) != 1 || hosts[0].State != api.HostWorking || hosts[0].Instance != inst.ID {
		t.Errorf("pool: %+v", hosts)
	}

	b := f.onInstance(joe, "joe", inst.ID)
	var out bytes.Buffer
	state, err := b.Exec(ctx, "/bin/sh", buildlet.ExecOptions{
		Args: []string{"-c", "echo hello $0; exit 3", "joe"}, SystemLevel: true, Output: &out,
	})
	if err != nil || state.Code() != 3 || out.String() != "hello joe\n" {
		t.Errorf("exec: %+v, %v, %q", state, err, out.String())
	}
	content := make([]byte, 3<<20)
	rand.Read(content)
	if err := b.Put(ctx, bytes.NewReader(content), "d/file", 0o751); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(m.work, "d/file")); err != nil || !bytes.Equal(got, content) {
		t.Errorf("the file is not what was put (%v)", err)
	}
	r, err := b.Read(ctx, "d/file")
	if err != nil {
		t.Fatal(err)
	}
	back, err := io.ReadAll(r)
	r.Close()
	if err != nil || !bytes.Equal(back, content) || r.Mode != 0o751 {
		t.Errorf("read back %d bytes, mode %v, %v", len(back), r.Mode, err)
	}

	if err := joe.Destroy(ctx, inst.ID); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(m.work); err != nil || len(left) != 0 {
		t.Errorf("the work directory was not emptied: %v, %v", left, err)
	}
	if hosts := f.pool.snapshot().Hosts; len(hosts) != 1 || hosts[0].State != api.HostIdle {
		t.Errorf("pool after destroy: %+v", hosts)
	}
	_, err = joe.Instance(ctx, inst.ID)
	wantAPIError(t, err, api.CodeGone, inst.ID, "user-joe destroyed it")
	if hint.Of(err) == "" {
		t.Error("no hint with the error of an ended instance")
	}
	if again := f.create(joe); again.ID != inst.ID {
		t.Errorf("the least free number was not taken again: %s", again.ID)
	}
}

func TestInstanceRefusals(t *testing.T) {
	f := newFarm(t, Options{})
	f.join("board", testType)
	joe, ann := f.client("joe"), f.client("ann")
	ctx := t.Context()
	inst := f.create(joe)

	_, err := ann.Instance(ctx, inst.ID)
	wantAPIError(t, err, api.CodeForbidden, "user-joe", "user-ann")
	err = f.onInstance(ann, "ann", inst.ID).RemoveAll(ctx, ".")
	wantAPIError(t, err, api.CodeForbidden)
	wantAPIError(t, ann.Destroy(ctx, inst.ID), api.CodeForbidden)
	_, err = joe.Instance(ctx, "joe-linux-amd64-7")
	wantAPIError(t, err, api.CodeNotFound, "joe-linux-amd64-7")
	_, err = joe.Create(ctx, api.CreateRequest{BuilderType: "linux-amd46"}, nil)
	wantAPIError(t, err, api.CodeBadRequest, "linux-amd46")
	if h := hint.Of(err); !strings.Contains(h, "linux-amd64") {
		t.Errorf("hint %q does not name the nearest builder type", h)
	}
	_, err = joe.Create(ctx, api.CreateRequest{BuilderType: "host-linux-amd64"}, nil)
	if h := hint.Of(err); !strings.Contains(h, "host type") {
		t.Errorf("hint %q for a host type", h)
	}
	_, err = joe.Create(ctx, api.CreateRequest{BuilderType: "linux-arm64", WaitSeconds: 1}, nil)
	wantAPIError(t, err, api.CodeTimeout, "host-linux-arm64", "1s")

	nobody, err := api.NewClient(api.ClientOptions{URL: "https://" + f.addr, Dialer: f.dialer})
	if err != nil {
		t.Fatal(err)
	}
	defer nobody.Close()
	_, err = nobody.Instances(ctx)
	wantAPIError(t, err, api.CodeUnauthorized)
	wrong, err := api.NewClient(api.ClientOptions{URL: "https://" + f.addr, Dialer: f.dialer, User: "user-joe", Key: f.master.Key("user-ann")})
	if err != nil {
		t.Fatal(err)
	}
	defer wrong.Close()
	_, err = wrong.Whoami(ctx)
	wantAPIError(t, err, api.CodeUnauthorized, "user-joe")
	board, err := api.NewClient(api.ClientOptions{URL: "https://" + f.addr, Dialer: f.dialer, User: testType, Key: f.master.Key(testType)})
	if err != nil {
		t.Fatal(err)
	}
	defer board.Close()
	if who, err := board.Whoami(ctx); err != nil || who.Principal != testType {
		t.Errorf("whoami of a machine: %+v, %v", who, err)
	}
	_, err = board.Instances(ctx)
	wantAPIError(t, err, api.CodeForbidden, testType)
}

// Requests are served in the order in which they came, and one that is
// withdrawn costs the next one nothing.
func TestCreateQueues(t *testing.T) {
	f := newFarm(t, Options{ProgressEvery: 10 * time.Millisecond})
	joe := f.client("joe")
	type result struct {
		who string
		id  string
		err error
	}
	results := make(chan result, 3)
	waiting := func(name string, ctx context.Context) {
		c := f.client(name)
		told := make(chan struct{})
		var once sync.Once
		go func() {
			inst, err := c.Create(ctx, api.CreateRequest{BuilderType: testBuilder}, func(ev api.CreateEvent) {
				once.Do(func() { close(told) })
			})
			results <- result{name, inst.ID, err}
		}()
		select {
		case <-told:
		case <-time.After(patience):
			t.Fatalf("%s was told nothing", name)
		}
	}
	ctx, withdraw := context.WithCancel(t.Context())
	waiting("ann", ctx)
	waiting("bob", t.Context())
	waiting("eve", t.Context())
	if types := f.pool.snapshot().Types; len(types) != 1 || types[0].Waiting != 3 {
		t.Errorf("waiting: %+v", types)
	}
	withdraw()
	if r := <-results; r.who != "ann" || r.err == nil {
		t.Errorf("withdrawn: %+v", r)
	}
	f.await("ann's request is gone", func() bool { return f.pool.snapshot().Types[0].Waiting == 2 })
	f.joinWith("board", testType, nil) // goes to bob at once
	r := <-results
	if r.who != "bob" || r.err != nil {
		t.Fatalf("the first in line got: %+v", r)
	}
	if err := f.client("bob").Destroy(t.Context(), r.id); err != nil {
		t.Fatal(err)
	}
	if r := <-results; r.who != "eve" || r.err != nil {
		t.Errorf("the second in line got: %+v", r)
	}
	if list, err := joe.Instances(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("joe's instances: %+v, %v", list, err)
	}
}

func TestExpiry(t *testing.T) {
	f := newFarm(t, Options{IdleLife: 300 * time.Millisecond})
	m := f.join("board", testType)
	joe := f.client("joe")
	inst := f.create(joe)
	b := f.onInstance(joe, "joe", inst.ID)
	// A command that runs for longer than the idle life keeps it alive.
	state, err := b.Exec(t.Context(), "sleep", buildlet.ExecOptions{Args: []string{"1"}, SystemLevel: true})
	if err != nil || !state.OK() {
		t.Fatalf("a long command: %+v, %v", state, err)
	}
	if err := os.WriteFile(filepath.Join(m.work, "left"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	var gone error
	f.await("it has expired", func() bool {
		_, gone = joe.Instance(t.Context(), inst.ID)
		return gone != nil
	})
	wantAPIError(t, gone, api.CodeGone, "expired", "300ms", time.Now().UTC().Format("2006-01-02T"))
	f.await("the machine is idle again", func() bool {
		hosts := f.pool.snapshot().Hosts
		return len(hosts) == 1 && hosts[0].State == api.HostIdle
	})
	if left, _ := os.ReadDir(m.work); len(left) != 0 {
		t.Errorf("left after expiry: %v", left)
	}
	_, err = b.Status(t.Context())
	wantAPIError(t, err, api.CodeGone, "expired")
}

func TestKeepAlive(t *testing.T) {
	f := newFarm(t, Options{})
	f.join("board", testType)
	joe := f.client("joe")
	inst := f.create(joe)
	time.Sleep(2 * time.Millisecond)
	after, err := joe.KeepAlive(t.Context(), inst.ID)
	if err != nil || !after.Expires.After(inst.Expires) {
		t.Errorf("expires %s, before %s (%v)", after.Expires, inst.Expires, err)
	}
}

// Destroying an instance ends what runs on it; the one who waits for the
// command is told why.
func TestDestroyEndsCommands(t *testing.T) {
	f := newFarm(t, Options{})
	m := f.join("board", testType)
	joe := f.client("joe")
	inst := f.create(joe)
	b := f.onInstance(joe, "joe", inst.ID)
	started := make(chan struct{})
	ended := make(chan error, 1)
	go func() {
		_, err := b.Exec(t.Context(), "/bin/sh", buildlet.ExecOptions{
			Args: []string{"-c", "echo $$ > pid; sleep 600 & echo up; wait"}, SystemLevel: true,
			Output: writerFunc(func(p []byte) (int, error) {
				if bytes.Contains(p, []byte("up")) {
					close(started)
				}
				return len(p), nil
			}),
		})
		ended <- err
	}()
	select {
	case <-started:
	case <-time.After(patience):
		t.Fatal("the command printed nothing")
	}
	if err := joe.Destroy(t.Context(), inst.ID); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if err == nil {
			t.Error("the command ended well")
		}
	case <-time.After(patience):
		t.Fatal("the command goes on")
	}
	if left, _ := os.ReadDir(m.work); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

// /halt through an instance destroys the instance; the machine stays.
func TestHaltDestroys(t *testing.T) {
	f := newFarm(t, Options{})
	f.join("board", testType)
	joe := f.client("joe")
	inst := f.create(joe)
	if err := f.onInstance(joe, "joe", inst.ID).Halt(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err := joe.Instance(t.Context(), inst.ID)
	wantAPIError(t, err, api.CodeGone)
	if hosts := f.pool.snapshot().Hosts; len(hosts) != 1 || hosts[0].State != api.HostIdle {
		t.Errorf("pool: %+v", hosts)
	}
}

// The buildlet's own refusals come through as they are, also in the middle of
// an upload that is larger than all buffers on the way.
func TestRefusedUploadIsExplained(t *testing.T) {
	f := newFarm(t, Options{})
	f.join("board", testType)
	joe := f.client("joe")
	b := f.onInstance(joe, "joe", f.create(joe).ID)
	junk := make([]byte, 64<<20)
	rand.Read(junk)
	err := b.PutTar(t.Context(), bytes.NewReader(junk), "")
	var refused *buildlet.StatusError
	if !errors.As(err, &refused) || refused.Status != 400 || !strings.Contains(refused.Text, "gzip") {
		t.Errorf("error %v, want the buildlet's refusal", err)
	}
	err = b.Put(t.Context(), bytes.NewReader(junk), "../out", 0o644)
	if !errors.As(err, &refused) || !strings.Contains(refused.Text, "parent directory") {
		t.Errorf("error %v, want the buildlet's refusal", err)
	}
}

// Standard input and output run at the same time, all the way.
func TestStdinThroughProxy(t *testing.T) {
	f := newFarm(t, Options{})
	f.join("board", testType)
	joe := f.client("joe")
	b := f.onInstance(joe, "joe", f.create(joe).ID)
	content := make([]byte, 8<<20)
	rand.Read(content)
	var out bytes.Buffer
	state, err := b.Exec(t.Context(), "cat", buildlet.ExecOptions{SystemLevel: true, Stdin: bytes.NewReader(content), Output: &out})
	if err != nil || !state.OK() || !bytes.Equal(out.Bytes(), content) {
		t.Errorf("cat: %+v, %v, %d bytes of %d", state, err, out.Len(), len(content))
	}
	// A line at a time, each answered before the next is sent.
	pr, pw := io.Pipe()
	echoed := make(chan string)
	go func() {
		defer pw.Close()
		for _, line := range []string{"one\n", "two\n"} {
			io.WriteString(pw, line)
			select {
			case got := <-echoed:
				if got != line {
					t.Errorf("echo %q, want %q", got, line)
				}
			case <-time.After(patience):
				t.Error("no echo")
				return
			}
		}
	}()
	state, err = b.Exec(t.Context(), "cat", buildlet.ExecOptions{SystemLevel: true, Stdin: pr, Output: writerFunc(func(p []byte) (int, error) {
		echoed <- string(p)
		return len(p), nil
	})})
	if err != nil || !state.OK() {
		t.Errorf("cat: %+v, %v", state, err)
	}
}

// A command that ends without reading its standard input ends the call, though
// the caller has not ended the input.
func TestStdinLeftOpen(t *testing.T) {
	f := newFarm(t, Options{})
	f.join("board", testType)
	joe := f.client("joe")
	b := f.onInstance(joe, "joe", f.create(joe).ID)
	pr, pw := io.Pipe()
	defer pw.Close()
	ctx, cancel := context.WithTimeout(t.Context(), drainWait/2) // nothing may wait that long
	defer cancel()
	state, err := b.Exec(ctx, "true", buildlet.ExecOptions{SystemLevel: true, Stdin: pr})
	if err != nil || !state.OK() {
		t.Errorf("true: %+v, %v", state, err)
	}
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
