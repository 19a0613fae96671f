package buildlet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// Odd names pass: of all that is not quoted only a newline cannot be told.
func TestListByClient(t *testing.T) {
	s := serve(t, Options{})
	odd := []string{"tab\there", "trailing ", "-", "ünicode", "a\tb\t12\t2020-01-01T00:00:00Z"}
	if runtime.GOOS == "windows" {
		odd = odd[2:4]
	}
	for _, name := range odd {
		s.put("odd/"+name, "x", 0o644)
	}
	got := map[string]Entry{}
	err := s.client().List(t.Context(), "odd", ListOptions{Digest: true}, func(e Entry) error { got[e.Name] = e; return nil })
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range odd {
		e, ok := got[name]
		if !ok || e.Size != 1 || e.Digest != "11f6ad8ec52a2984abaafd7c3b516503785c2072" || e.IsDir() || time.Since(e.Time) > time.Hour {
			t.Errorf("%q: %+v, %t", name, e, ok)
		}
	}
	if len(got) != len(odd) {
		t.Errorf("%d entries, want %d: %v", len(got), len(odd), got)
	}
	if filepath.Separator == '/' {
		stop := fmt.Errorf("enough")
		n := 0
		err := s.client().List(t.Context(), "odd", ListOptions{}, func(Entry) error { n++; return stop })
		if err != stop || n != 1 {
			t.Errorf("error %v after %d entries", err, n)
		}
	}
}

// answer serves one canned answer to everything.
func answer(t *testing.T, h http.HandlerFunc) *Client {
	t.Helper()
	web := httptest.NewServer(h)
	transport := &http.Transport{}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		web.Close()
	})
	return NewClient(web.URL+"/", ClientOptions{HTTP: &http.Client{Transport: transport}})
}

func TestStatusError(t *testing.T) {
	c := answer(t, func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "no such thing "+strings.Repeat("x", 2*maxErrorText), http.StatusTeapot)
	})
	calls := map[string]func() error{
		"GET /status":     func() error { _, err := c.Status(t.Context()); return err },
		"GET /workdir":    func() error { _, err := c.WorkDir(t.Context()); return err },
		"POST /halt":      func() error { return c.Halt(t.Context()) },
		"POST /removeall": func() error { return c.RemoveAll(t.Context(), "secret-path") },
		"POST /writetgz":  func() error { return c.PutTarURL(t.Context(), "http://secret", "d") },
		"PUT /write":      func() error { return c.Put(t.Context(), strings.NewReader("x"), "secret", 0o644) },
		"PUT /writetgz":   func() error { return c.PutTar(t.Context(), strings.NewReader("x"), "secret") },
		"GET /tgz":        func() error { _, err := c.GetTar(t.Context(), "secret"); return err },
		"GET /read":       func() error { _, err := c.Read(t.Context(), "secret"); return err },
		"GET /ls":         func() error { return c.List(t.Context(), "secret", ListOptions{}, nil) },
		"POST /exec":      func() error { _, err := c.Exec(t.Context(), "secret", ExecOptions{}); return err },
	}
	for op, call := range calls {
		err := call()
		se := new(StatusError)
		if !errors.As(err, &se) || se.Op != op || se.Status != 418 || len(se.Text) > maxErrorText ||
			!strings.HasPrefix(err.Error(), op+": the buildlet answered 418 I'm a teapot: no such thing xxx") {
			t.Errorf("%s: %.200v", op, err)
		}
	}
}

// ClientOptions.Refused may make another error, or leave it.
func TestRefused(t *testing.T) {
	other := errors.New("other")
	c := answer(t, func(w http.ResponseWriter, r *http.Request) { http.Error(w, "text", http.StatusForbidden) })
	c.opts.Refused = func(resp *http.Response, body []byte) error {
		if resp.StatusCode != 403 || string(body) != "text\n" || resp.Request.URL.Path == "/workdir" {
			return nil
		}
		return other
	}
	if err := c.Halt(t.Context()); err != other {
		t.Errorf("error %v", err)
	}
	if _, err := c.WorkDir(t.Context()); !errors.As(err, new(*StatusError)) {
		t.Errorf("error %v", err)
	}
}

// How an exec may end without an ExitState.
func TestExecLost(t *testing.T) {
	for _, tt := range []struct {
		name string
		h    http.HandlerFunc
		text string
	}{
		{"no trailer", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "out") },
			"the buildlet lost sight of prog: its answer ended without the trailer Process-State"},
		{"empty trailer", func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Trailer", "Process-State") },
			"without the trailer"},
		{"broken off", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Trailer", "Process-State")
			io.WriteString(w, "out")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}, "output of prog broke off before the command's end: unexpected EOF"},
		{"no answer", func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }, "POST /exec: EOF"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out strings.Builder
			state, err := answer(t, tt.h).Exec(t.Context(), "prog", ExecOptions{Output: &out, Args: []string{"secret"}})
			if err == nil || !strings.Contains(err.Error(), tt.text) || strings.Contains(err.Error(), "secret") || state.Text != "" {
				t.Errorf("state %q, error %v, want %q", state.Text, err, tt.text)
			}
		})
	}
	c := answer(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "out") })
	full := errors.New("disk full")
	if _, err := c.Exec(t.Context(), "prog", ExecOptions{Output: writerFunc(func([]byte) (int, error) { return 0, full })}); !errors.Is(err, full) {
		t.Errorf("error %v, want that of the output", err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// A stream that breaks off is never taken for whole.
func TestBrokenStreams(t *testing.T) {
	c := answer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/read" {
			w.Header().Set(modeHeader, "644")
			w.Header().Set("Content-Length", "100")
		}
		io.WriteString(w, "drwxr-xr-x\ta/\n")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})
	n := 0
	err := c.List(t.Context(), "", ListOptions{}, func(Entry) error { n++; return nil })
	if n != 1 || err == nil || !strings.Contains(err.Error(), "GET /ls: the listing broke off: unexpected EOF") {
		t.Errorf("List: %d entries, %v", n, err)
	}
	body, err := c.GetTar(t.Context(), ".")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(body); err == nil || err == io.EOF {
		t.Errorf("GetTar: %v", err)
	}
	body.Close()
	f, err := c.Read(t.Context(), "f")
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(f); err == nil || f.Size != 100 {
		t.Errorf("Read: %d of %d bytes, %v", len(b), f.Size, err)
	}
	f.Close()
	if _, err := c.ReadFromTar(t.Context(), "f"); err == nil {
		t.Error("ReadFromTar took a listing for an archive")
	}
}

// Answers that no buildlet gives.
func TestNonsense(t *testing.T) {
	for _, body := range []string{"no tab", "x\ty\t99999999999999999999\t2020-01-01T00:00:00Z", "x\ty\t1\t2020-99-01T00:00:00Z",
		strings.Repeat("x", maxListLine+1)} {
		c := answer(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, body) })
		if err := c.List(t.Context(), "", ListOptions{}, func(Entry) error { return nil }); err == nil || !strings.HasPrefix(err.Error(), "GET /ls: ") {
			t.Errorf("listing %.40q: %v", body, err)
		}
		if _, err := c.Status(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "GET /status: ") {
			t.Errorf("status %.40q: %v", body, err)
		}
		if _, err := c.Read(t.Context(), "f"); err == nil || !strings.Contains(err.Error(), modeHeader) {
			t.Errorf("read %.40q: %v", body, err)
		}
	}
}

// An upload whose source fails says so, and not that the connection is gone.
func TestUploadSourceFails(t *testing.T) {
	s := serve(t, Options{})
	bad := errors.New("cannot read the disk")
	err := s.client().Put(t.Context(), io.MultiReader(strings.NewReader("x"), iotest.ErrReader(bad)), "f", 0o644)
	if !errors.Is(err, bad) || !strings.HasPrefix(err.Error(), "PUT /write: ") {
		t.Errorf("error %v", err)
	}
}

// A call ends with its context, for the reason that this gives.
func TestCallEndsWithContext(t *testing.T) {
	c := answer(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	})
	reason := errors.New("the user said so")
	for _, call := range []func(ctx context.Context) error{
		func(ctx context.Context) error { _, err := c.Status(ctx); return err },
		func(ctx context.Context) error { return c.Put(ctx, strings.NewReader("x"), "f", 0o644) },
		func(ctx context.Context) error {
			_, err := c.Exec(ctx, "x", ExecOptions{Stdin: strings.NewReader("")})
			return err
		},
	} {
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(30*time.Millisecond, func() { cancel(reason) })
		within(t, "the call ends", func() {
			if err := call(ctx); !errors.Is(err, reason) {
				t.Errorf("error %v", err)
			}
		})
	}
}
