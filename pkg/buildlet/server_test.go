package buildlet

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gobuild/pkg/hint"
)

// The answers of the small requests, byte for byte (sections 3.2, 3.9, 3.11).
func TestSmallRequests(t *testing.T) {
	s := serve(t, Options{})
	for _, tt := range []struct {
		method, path string
		status       int
		body         string
	}{
		{"GET", "/", 200, "buildlet running on " + runtime.GOOS + "-" + runtime.GOARCH + "\n"},
		{"GET", "/nothing", 404, "404 page not found\n"},
		{"GET", "/status/", 404, "404 page not found\n"},
		{"GET", "/healthz", 200, "ok\n"},
		{"GET", "/status", 200, `{"Version":29}`},
		{"GET", "/status?gobuild=0", 200, `{"Version":29}`},
		{"POST", "/status", 400, "requires GET method\n"},
		{"GET", "/workdir", 200, s.work},
		{"GET", "/halt", 400, "requires POST method\n"},
		{"POST", "/halt", 200, ""},
		{"POST", "/connect-ssh", 501, "connect-ssh: this buildlet has no ssh server\n"},
		{"GET", "/debug/x?n=0", 200, ""},
		{"GET", "/debug/x?n=3", 200, "XXX"},
		{"GET", "/debug/x?n=1048577", 200, strings.Repeat("X", 1<<20)},
		{"GET", "/debug/x?n=9223372036854775807", 200, strings.Repeat("X", 1<<20)},
		{"GET", "/debug/x?n=-1", 400, "bad 'n' parameter\n"},
		{"GET", "/debug/x?n=x", 400, "bad 'n' parameter\n"},
		{"POST", "/write?path=f&mode=420", 400, "requires PUT method\n"},
		{"DELETE", "/writetgz", 400, "requires PUT or POST method\n"},
		{"POST", "/tgz?dir=.", 400, "requires GET method\n"},
		{"POST", "/ls", 400, "requires GET method\n"},
		{"POST", "/read?path=f", 400, "requires GET method\n"},
		{"GET", "/exec", 400, "requires POST method\n"},
		{"GET", "/removeall?path=f", 400, "requires POST method\n"},
	} {
		t.Run(tt.method+" "+tt.path, func(t *testing.T) {
			status, body := s.do(tt.method, tt.path, nil)
			if status != tt.status || body != tt.body {
				t.Errorf("answer %d %.100q, want %d %.100q", status, body, tt.status, tt.body)
			}
		})
	}
}

func TestStatusHeader(t *testing.T) {
	s := serve(t, Options{})
	resp := s.send("GET", "/status", nil, "")
	resp.Body.Close()
	if ct := resp.Header.Get("Content-Type"); ct != "application/json; charset=utf-8" {
		t.Errorf("Content-Type %q", ct)
	}
}

// Only who asks is told what upstream's status does not have.
func TestStatusExtended(t *testing.T) {
	s := serve(t, Options{Program: "gobuild v1"})
	_, body := s.do("GET", "/status?gobuild=1", nil)
	var got Status
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	if got.Version != Version || got.Program != "gobuild v1" || got.GOOS != runtime.GOOS || got.GOARCH != runtime.GOARCH {
		t.Errorf("status %+v", got)
	}
	if !got.Has(AdditionRead) || !got.Has(AdditionStdin) || got.Has("other") {
		t.Errorf("additions %q", got.Additions)
	}
}

func TestGoroutines(t *testing.T) {
	s := serve(t, Options{})
	status, body := s.do("GET", "/debug/goroutines", nil)
	if status != 200 || !strings.HasPrefix(body, "goroutine ") || len(body) > maxStacks {
		t.Errorf("answer %d, %d bytes: %.100q", status, len(body), body)
	}
}

// Everything but / and /healthz is behind the password, whoever the user.
func TestPassword(t *testing.T) {
	s := serve(t, Options{Password: "open sesame"})
	paths := []string{"/status", "/workdir", "/write", "/writetgz", "/tgz", "/ls", "/read", "/exec", "/removeall",
		"/halt", "/connect-ssh", "/debug/x", "/debug/goroutines", "/claim", "/release", "/availability"}
	for _, path := range append(paths, "/", "/healthz") {
		for _, password := range []string{"", "open", "open sesame!", "open sesame"} {
			req, err := http.NewRequest("GET", s.url+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			if password != "" {
				req.SetBasicAuth("anybody", password)
			}
			resp, err := s.http.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			refused := resp.StatusCode == http.StatusForbidden && string(body) == "invalid password\n"
			want := password != "open sesame" && path != "/" && path != "/healthz"
			if refused != want {
				t.Errorf("%s with password %q: %d %q", path, password, resp.StatusCode, body)
			}
			if resp.Header.Get("WWW-Authenticate") != "" {
				t.Errorf("%s: the answer has a challenge, which upstream's has not", path)
			}
		}
	}
	c := NewClient(s.url, ClientOptions{HTTP: s.http, User: "gomote", Password: "open sesame"})
	if _, err := c.Status(t.Context()); err != nil {
		t.Error(err)
	}
}

// However often it is told to, a server halts once, after its answer.
func TestHalt(t *testing.T) {
	var calls atomic.Int32
	s := serve(t, Options{Halt: func() { calls.Add(1) }})
	for range 3 {
		if status, body := s.do("POST", "/halt", nil); status != 200 || body != "" {
			t.Errorf("answer %d %q", status, body)
		}
		if calls.Load() != 0 {
			t.Error("halted before the answer was read")
		}
	}
	await(t, "Halt is called", func() bool { return calls.Load() > 0 })
	time.Sleep(50 * time.Millisecond)
	if n := calls.Load(); n != 1 {
		t.Errorf("Halt called %d times", n)
	}
}

// What a server keeps for commands is emptied when it starts, and no more.
func TestNewEmptiesItsOwn(t *testing.T) {
	work := t.TempDir()
	outside := t.TempDir()
	for _, file := range []string{"tmp/old", "gocache/old", "go/kept", "kept"} {
		os.MkdirAll(filepath.Dir(filepath.Join(work, file)), 0o755)
		if err := os.WriteFile(filepath.Join(work, file), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(outside, "kept"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(work, "goplscache")); err != nil {
		t.Skip(err)
	}
	s := serve(t, Options{WorkDir: work})
	for name := range ownDirs {
		info, err := os.Lstat(s.path(name))
		if err != nil || !info.IsDir() || len(names(t, s.path(name))) != 0 {
			t.Errorf("%s is not an empty directory (%v)", name, err)
		}
	}
	for _, file := range []string{s.path("go/kept"), s.path("kept"), filepath.Join(outside, "kept")} {
		if _, err := os.Stat(file); err != nil {
			t.Error(err)
		}
	}
}

func TestNewErrors(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{file, file + ".none"} {
		_, err := New(Options{WorkDir: dir})
		if err == nil || !strings.Contains(err.Error(), "work directory") || !strings.Contains(err.Error(), filepath.Base(dir)) || hint.Of(err) == "" {
			t.Errorf("New(%s): error %v, hint %q", dir, err, hint.Of(err))
		}
	}
}

// A command that removes the whole work directory spoils only its own day.
func TestWorkDirRemoved(t *testing.T) {
	s := serve(t, Options{})
	s.put("f", "x", 0o644)
	if err := os.RemoveAll(s.work); err != nil {
		t.Skip(err) // in use, as some systems say
	}
	c := s.client()
	if err := c.Put(t.Context(), strings.NewReader("anew"), "a/f", 0o644); err != nil {
		t.Error(err)
	}
	if got := s.content("a/f"); got != "anew" {
		t.Errorf("content %q", got)
	}
	if err := os.RemoveAll(s.work); err != nil {
		t.Fatal(err)
	}
	if err := c.List(t.Context(), "", ListOptions{}, func(Entry) error { return nil }); err != nil {
		t.Error(err)
	}
}

func TestClosedServer(t *testing.T) {
	s := serve(t, Options{})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := s.client().Exec(t.Context(), "/bin/echo", ExecOptions{})
	if se := new(StatusError); !asStatus(err, &se) || se.Status != 503 || se.Text != "the buildlet is ending" {
		t.Errorf("exec after Close: %v", err)
	}
	if s.Busy() != 0 {
		t.Errorf("busy with %d commands", s.Busy())
	}
}

// A context that is over ends a call before it begins.
func TestCallWithEndedContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := serve(t, Options{}).client().Status(ctx); err == nil || !strings.Contains(err.Error(), "GET /status") {
		t.Errorf("error %v", err)
	}
}
