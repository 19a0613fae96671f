package api

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"gobuild/pkg/hint"
	"gobuild/pkg/netdial"
	"gobuild/pkg/netdial/dialtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	patience = 30 * time.Second // for what should take no time
	testKey  = "0123456789abcdef0123456789abcdef"
)

func direct(*http.Request) (*url.URL, error) { return nil, nil }

// server is a TLS server that answers with a handler, and counts.
type server struct {
	*httptest.Server
	calls atomic.Int64
}

func serve(t *testing.T, h http.HandlerFunc) *server {
	t.Helper()
	s := &server{}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.calls.Add(1)
		h(w, r)
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// client returns a client of s that trusts it and does not pause before it
// tries again.
func (s *server) client(t *testing.T) *Client {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return newClient(t, ClientOptions{URL: s.URL, Dialer: &netdial.Dialer{Roots: roots, Proxy: direct}})
}

func newClient(t *testing.T, opts ClientOptions) *Client {
	t.Helper()
	opts.User, opts.Key = "user-joe", testKey
	c, err := NewClient(opts)
	if err != nil {
		t.Fatal(err)
	}
	c.retry.RetryWaitMin, c.retry.RetryWaitMax = time.Millisecond, time.Millisecond
	t.Cleanup(c.Close)
	return c
}

// within returns a context that ends a test that hangs.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// wantError checks that err has all texts, that its hint has advice, and that
// neither shows the key.
func wantError(t *testing.T, err error, advice string, texts ...string) {
	t.Helper()
	if err == nil {
		t.Error("no error")
		return
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("error %q does not have %q", err, text)
		}
	}
	h := hint.Of(err)
	if !strings.Contains(h, advice) || (advice == "") != (h == "") {
		t.Errorf("error %q has the hint %q, want one with %q", err, h, advice)
	}
	if strings.Contains(err.Error()+h, testKey) {
		t.Errorf("the key is shown: %q, %q", err, h)
	}
	if strings.Count(err.Error(), "dial ") > 1 || strings.Contains(err.Error(), "\n") {
		t.Errorf("the error repeats itself or has several lines: %q", err)
	}
}

// reset cuts the connection of a request without an answer.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	conn.Close()
}

// What may be sent twice is tried again when a gateway or the network fails.
func TestTriedAgain(t *testing.T) {
	failures := map[string]func(w http.ResponseWriter){
		"502":        func(w http.ResponseWriter) { http.Error(w, "bad gateway", http.StatusBadGateway) },
		"503":        func(w http.ResponseWriter) { http.Error(w, "overloaded", http.StatusServiceUnavailable) },
		"cut":        reset,
		"cut answer": func(w http.ResponseWriter) { w.Header().Set("Content-Length", "9"); panic(http.ErrAbortHandler) },
	}
	calls := map[string]func(context.Context, *Client) error{
		"GET":    func(ctx context.Context, c *Client) error { _, err := c.Whoami(ctx); return err },
		"DELETE": func(ctx context.Context, c *Client) error { return c.Destroy(ctx, "joe-x-0") },
		"POST":   func(ctx context.Context, c *Client) error { _, err := c.KeepAlive(ctx, "joe-x-0"); return err },
	}
	for name, fail := range failures {
		for method, call := range calls {
			t.Run(method+" "+name, func(t *testing.T) {
				bad := int64(retries)
				var s *server
				s = serve(t, func(w http.ResponseWriter, r *http.Request) {
					if user, key, _ := r.BasicAuth(); user != "user-joe" || key != testKey || r.Method != method {
						t.Errorf("%s as %s", r.Method, user)
					}
					if s.calls.Load() <= bad {
						fail(w)
						return
					}
					io.WriteString(w, "{}")
				})
				c := s.client(t)
				told := 0
				c.opts.OnRetry = func(error) { told++ }
				if err := call(within(t), c); err != nil {
					t.Error(err)
				}
				if n := s.calls.Load(); n != bad+1 || told != retries {
					t.Errorf("sent %d times, told of %d failures", n, told)
				}
				// And not for ever.
				s.calls.Store(0)
				bad = 1 << 30
				c.Close()
				wantAny(t, call(within(t), c), method)
				if n := s.calls.Load(); n != retries+1 {
					t.Errorf("sent %d times without success", n)
				}
			})
		}
	}
}

// wantAny checks that err says what was tried.
func wantAny(t *testing.T, err error, method string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), method+" /api/v1/") || strings.Contains(err.Error(), testKey) {
		t.Errorf("error %v", err)
	}
}

func TestCreateIsSentOnce(t *testing.T) {
	for name, fail := range map[string]func(w http.ResponseWriter){
		"502": func(w http.ResponseWriter) { http.Error(w, "bad gateway", http.StatusBadGateway) },
		"503": func(w http.ResponseWriter) { http.Error(w, "overloaded", http.StatusServiceUnavailable) },
		"cut": reset,
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body)
				fail(w)
			})
			_, err := s.client(t).Create(within(t), CreateRequest{BuilderType: "x"}, nil)
			wantAny(t, err, "POST")
			if n := s.calls.Load(); n != 1 {
				t.Errorf("sent %d times", n)
			}
		})
	}
}

// What the coordinator itself says is final, whatever its status.
func TestCoordinatorErrorsAreFinal(t *testing.T) {
	for code := range statusOf {
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			Errorf(code, "so it is").WithHint("live with it").Write(w)
		})
		_, err := s.client(t).Pool(within(t))
		wantError(t, err, "live with it", "so it is")
		if e, ok := errors.AsType[*Error](err); !ok || e.Code != code {
			t.Errorf("%s: error %#v", code, err)
		}
		if n := s.calls.Load(); n != 1 {
			t.Errorf("%s: sent %d times", code, n)
		}
	}
}

func TestUntrustedFailsAtOnce(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) { t.Error("the request was sent") })
	c := newClient(t, ClientOptions{
		URL:     s.URL,
		Dialer:  &netdial.Dialer{Roots: x509.NewCertPool(), Proxy: direct},
		OnRetry: func(err error) { t.Errorf("tried again after %v", err) },
	})
	_, err := c.Pool(within(t))
	wantError(t, err, "--ca-file", "GET /api/v1/hosts: dial "+s.Listener.Addr().String()+": ", "certificate", "(after ")
	_, err = c.Create(within(t), CreateRequest{}, nil)
	wantError(t, err, "--ca-file", "POST /api/v1/instances: dial ")
}

func TestPlainServerFailsAtOnce(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	c := newClient(t, ClientOptions{
		URL:     "https://" + s.Listener.Addr().String(),
		Dialer:  &netdial.Dialer{Proxy: direct},
		OnRetry: func(err error) { t.Errorf("tried again after %v", err) },
	})
	_, err := c.Pool(within(t))
	wantError(t, err, "does not speak TLS", "GET /api/v1/hosts: dial ")
}

func TestRefusedConnection(t *testing.T) {
	addr := dialtest.FreeAddr(t)
	told := 0
	c := newClient(t, ClientOptions{URL: "https://" + addr, Dialer: &netdial.Dialer{Proxy: direct}, OnRetry: func(error) { told++ }})
	_, err := c.Pool(within(t))
	wantError(t, err, "nothing listens on "+addr, "GET /api/v1/hosts: dial "+addr+": ", "refused", "(after ")
	if told != retries+1 {
		t.Errorf("told of %d failures", told)
	}
}

// A connection that breaks is told of once, with its address.
func TestBrokenConnection(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) { reset(w) })
	_, err := s.client(t).Pool(within(t))
	if err == nil || strings.Contains(err.Error(), "dial") || !strings.Contains(err.Error(), "GET /api/v1/hosts: "+s.Listener.Addr().String()+": ") {
		t.Errorf("error %v", err)
	}
}

// A server that takes the connection and is silent does not hang the client.
func TestSilentServer(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		cancel(errors.New("we have waited long enough"))
		<-r.Context().Done()
	})
	_, err := s.client(t).Pool(ctx)
	wantError(t, err, "", "GET /api/v1/hosts: ", "long enough")
}

// The answer to a create, as servers may give it.
func TestCreateStream(t *testing.T) {
	done := Instance{ID: "joe-x-0", Env: []string{"A=b"}}
	send := func(w http.ResponseWriter, events ...CreateEvent) {
		w.Header().Set("Content-Type", ContentStream)
		for _, ev := range events {
			json.NewEncoder(w).Encode(ev)
			http.NewResponseController(w).Flush()
		}
	}
	waiting := CreateEvent{Message: "waiting", Ahead: 1}
	for _, tt := range []struct {
		name   string
		answer http.HandlerFunc
		told   int
		texts  []string // nil: success
		advice string
	}{
		{"at once", func(w http.ResponseWriter, r *http.Request) { send(w, CreateEvent{Instance: &done}) }, 0, nil, ""},
		{"progress", func(w http.ResponseWriter, r *http.Request) { send(w, waiting, waiting, CreateEvent{Instance: &done}) }, 2, nil, ""},
		{"error line", func(w http.ResponseWriter, r *http.Request) {
			send(w, waiting, CreateEvent{Error: Errorf(CodeTimeout, "none became free").WithHint("look")})
		}, 1, []string{"none became free"}, "look"},
		{"error line without words", func(w http.ResponseWriter, r *http.Request) {
			send(w, CreateEvent{Error: &Error{Code: CodeInternal}})
		}, 0, []string{"internal"}, ""},
		{"refused", func(w http.ResponseWriter, r *http.Request) {
			Errorf(CodeBadRequest, "unknown builder type").WithHint("is it y?").Write(w)
		}, 0, []string{"unknown builder type"}, "is it y?"},
		{"cut", func(w http.ResponseWriter, r *http.Request) { send(w, waiting); panic(http.ErrAbortHandler) },
			1, []string{"POST /api/v1/instances: the answer broke off"}, "try again"},
		{"cut in a line", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, `{"message":"wai`) },
			0, []string{"POST /api/v1/instances: the answer broke off"}, "try again"},
		{"ended", func(w http.ResponseWriter, r *http.Request) { send(w, waiting) },
			1, []string{"POST /api/v1/instances: the answer broke off"}, "try again"},
		{"silent", func(w http.ResponseWriter, r *http.Request) { send(w, waiting); <-r.Context().Done() },
			1, []string{"POST /api/v1/instances: the coordinator said nothing for "}, ""},
		{"silent from the beginning", func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
			0, []string{"POST /api/v1/instances: ", "the coordinator said nothing for "}, ""},
		{"HTML", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "<html>hello</html>") },
			0, []string{"POST /api/v1/instances: the answer is not what a coordinator sends"}, "gobuild coordinator?"},
		{"HTML 404", func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(404)
			io.WriteString(w, "\n<html>\nno such page\n</html>")
		},
			0, []string{"POST /api/v1/instances: 404 Not Found"}, "gobuild coordinator?"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				var req CreateRequest
				if err := json.NewDecoder(r.Body).Decode(&req); err != nil || req.BuilderType != "x" || req.WaitSeconds != 3 {
					t.Errorf("request %+v, %v", req, err)
				}
				tt.answer(w, r)
			})
			c := s.client(t)
			if strings.HasPrefix(tt.name, "silent") {
				c.streamWait = 300 * time.Millisecond
			}
			told := 0
			inst, err := c.Create(within(t), CreateRequest{BuilderType: "x", WaitSeconds: 3}, func(ev CreateEvent) {
				told++
				if ev != waiting {
					t.Errorf("told of %+v", ev)
				}
			})
			if told != tt.told {
				t.Errorf("told %d times, want %d", told, tt.told)
			}
			if tt.texts != nil {
				wantError(t, err, tt.advice, tt.texts...)
				return
			}
			if err != nil || inst.ID != done.ID || len(inst.Env) != 1 {
				t.Errorf("instance %+v, %v", inst, err)
			}
		})
	}
}

// A create that is given up ends the request.
func TestCreateGivenUp(t *testing.T) {
	ctx, cancel := context.WithCancel(within(t))
	defer cancel()
	gone := make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		fmt.Fprintln(w, `{"message":"waiting"}`)
		http.NewResponseController(w).Flush()
		<-r.Context().Done()
		close(gone)
	})
	_, err := s.client(t).Create(ctx, CreateRequest{}, func(CreateEvent) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	select {
	case <-gone:
	case <-time.After(patience):
		t.Error("the coordinator still waits")
	}
}

// What the coordinator says of a create that was given up is no news.
func TestCreateGivenUpAndTold(t *testing.T) {
	ctx, cancel := context.WithCancel(within(t))
	defer cancel()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `{"message":"waiting"}`+"\n"+`{"error":{"code":"unavailable","message":"withdrawn"}}`+"\n")
	})
	_, err := s.client(t).Create(ctx, CreateRequest{}, func(CreateEvent) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestUnreadableAnswers(t *testing.T) {
	for _, tt := range []struct {
		name   string
		answer http.HandlerFunc
		texts  []string
		advice string
	}{
		{"HTML", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "<html>hello</html>") },
			[]string{"the answer is not what a coordinator sends"}, "gobuild coordinator?"},
		{"other JSON", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, `{"hosts":"none"}`) },
			[]string{"the answer is not what a coordinator sends"}, "gobuild coordinator?"},
		{"nothing", func(w http.ResponseWriter, r *http.Request) {},
			[]string{"the answer broke off"}, "try again"},
		{"half", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, `{"hosts":[{`) },
			[]string{"the answer broke off"}, "try again"},
		{"cut", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, `{"hosts":[{`)
			http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}, []string{"the answer broke off"}, "try again"},
		{"too large", func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, `{"hosts":[{"hostname":"`)
			for range maxAnswer >> 20 {
				w.Write(bytes.Repeat([]byte("x"), 1<<20))
			}
			io.WriteString(w, `"}]}`)
		}, []string{"longer than"}, "gobuild coordinator?"},
		{"404 text", func(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) },
			[]string{"404 Not Found: 404 page not found"}, "gobuild coordinator?"},
		{"error of another kind", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(500)
			io.WriteString(w, `{"error":"bad"}`)
		}, []string{`500 Internal Server Error: {"error":"bad"}`}, "gobuild coordinator?"},
		{"many lines", func(w http.ResponseWriter, r *http.Request) {
			http.Error(w, "one\n"+strings.Repeat("two\n", 1000), 400)
		}, []string{"400 Bad Request: one"}, "gobuild coordinator?"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := serve(t, tt.answer)
			_, err := s.client(t).Pool(within(t))
			wantError(t, err, tt.advice, append(tt.texts, "GET /api/v1/hosts: ")...)
			if err != nil && len(err.Error()) > 400 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
		})
	}
}

// A redirect is not followed: it could carry the key to somebody else.
func TestRedirect(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("%s %s with %v arrived elsewhere", r.Method, r.URL, r.Header)
	}))
	defer other.Close()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL+r.URL.Path, http.StatusTemporaryRedirect)
	})
	c := s.client(t)
	_, err := c.Whoami(within(t))
	wantError(t, err, "gobuild coordinator?", "GET /api/v1/whoami: 307 Temporary Redirect to "+other.URL)
	_, err = c.Create(within(t), CreateRequest{}, nil)
	wantError(t, err, "gobuild coordinator?", "307 Temporary Redirect")
}

func TestInstanceNames(t *testing.T) {
	var path atomic.Value
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		path.Store(r.URL.EscapedPath())
		io.WriteString(w, "{}")
	})
	c := s.client(t)
	for id, want := range map[string]string{
		"joe-x-0": "/api/v1/instances/joe-x-0", "a/../b": "/api/v1/instances/a%2F..%2Fb", "a?b#c": "/api/v1/instances/a%3Fb%23c",
	} {
		if _, err := c.Instance(within(t), id); err != nil || path.Load() != want {
			t.Errorf("%s: called %v, %v", id, path.Load(), err)
		}
	}
	for _, id := range []string{"", ".", ".."} {
		err := c.Destroy(within(t), id)
		wantError(t, err, "gomote list", "there is no instance")
	}
}

func TestNewClientErrors(t *testing.T) {
	for _, bad := range []string{
		"", "farm.example", "http://farm.example", "https://", "https://farm.example/path", "ftp://farm.example", "https://farm.example:port",
		"https://joe:" + testKey + "@farm.example", "https://" + testKey + "@farm.example:port",
	} {
		_, err := NewClient(ClientOptions{URL: bad})
		wantError(t, err, "https://HOST:PORT", "not an address that can be called")
	}
	c, err := NewClient(ClientOptions{URL: "https://farm.example:8119/"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if c.URL() != "https://farm.example:8119" || c.BuildletURL("a b") != "https://farm.example:8119/api/v1/instances/a%20b/buildlet" {
		t.Errorf("URL %s, %s", c.URL(), c.BuildletURL("a b"))
	}
}
