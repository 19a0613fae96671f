package buildlet

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// patience bounds the wait for what should take no time.
const patience = 30 * time.Second

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testLog drops what is logged, unless the test is verbose.
func testLog() *slog.Logger {
	if testing.Verbose() {
		return slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	return slog.New(slog.DiscardHandler)
}

// testServer is a Server behind a real listener.
type testServer struct {
	*Server
	t    testing.TB
	url  string
	dir  string // the work directory's parent; nothing but work may change there
	http *http.Client
}

// serve starts a server with an empty work directory, unless opts has one.
func serve(t testing.TB, opts Options) *testServer {
	t.Helper()
	dir := t.TempDir()
	if opts.WorkDir == "" {
		opts.WorkDir = filepath.Join(dir, "work")
		if err := os.Mkdir(opts.WorkDir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if opts.Log == nil {
		opts.Log = testLog()
	}
	s, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewUnstartedServer(s)
	web.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	web.Start()
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		web.CloseClientConnections()
		web.Close()
	})
	return &testServer{s, t, web.URL, dir, &http.Client{Transport: transport}}
}

// client returns a Client of the server.
func (s *testServer) client() *Client { return NewClient(s.url, ClientOptions{HTTP: s.http}) }

// path returns the path of a file in the work directory.
func (s *testServer) path(name string) string { return filepath.Join(s.work, filepath.FromSlash(name)) }

// put makes a file in the work directory.
func (s *testServer) put(name, content string, mode os.FileMode) {
	s.t.Helper()
	if err := os.MkdirAll(filepath.Dir(s.path(name)), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(s.path(name), []byte(content), mode); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Chmod(s.path(name), mode); err != nil {
		s.t.Fatal(err)
	}
}

// content returns what a file in the work directory holds.
func (s *testServer) content(name string) string {
	s.t.Helper()
	b, err := os.ReadFile(s.path(name))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(b)
}

// do sends a request and returns status and body.
func (s *testServer) do(method, path string, body io.Reader) (int, string) {
	s.t.Helper()
	resp := s.send(method, path, body, "")
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	return resp.StatusCode, string(text)
}

// post sends a form.
func (s *testServer) post(path, form string) (int, string) {
	s.t.Helper()
	resp := s.send("POST", path, strings.NewReader(form), formType)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatalf("POST %s: %v", path, err)
	}
	return resp.StatusCode, string(text)
}

func (s *testServer) send(method, path string, body io.Reader, contentType string) *http.Response {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	s.t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, method, s.url+path, body)
	if err != nil {
		s.t.Fatal(err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := s.http.Do(req)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	return resp
}

// await waits until cond holds.
func await(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !cond(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}

// within fails the test if fn takes longer than patience.
func within(t testing.TB, what string, fn func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		fn()
	}()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatalf("not within %s: %s", patience, what)
	}
}

// names returns what is in a directory.
func names(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

func asStatus(err error, target **StatusError) bool { return errors.As(err, target) }
