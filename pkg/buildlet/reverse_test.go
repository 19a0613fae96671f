package buildlet

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/build/revdial/v2"

	"gobuild/pkg/hint"
	"gobuild/pkg/netdial"
	"gobuild/pkg/netdial/dialtest"
)

// peer is a coordinator made of upstream's dialer.
type peer struct {
	t       *testing.T
	web     *httptest.Server
	addr    string
	dialer  *netdial.Dialer
	mux     *http.ServeMux
	links   chan *revdial.Dialer
	headers chan http.Header
}

// newPeer starts one. Its handler of /reverse is register, unless another is
// given.
func newPeer(t *testing.T, reverse http.HandlerFunc) *peer {
	t.Helper()
	p := &peer{t: t, mux: http.NewServeMux(), links: make(chan *revdial.Dialer, 10), headers: make(chan http.Header, 10)}
	if reverse == nil {
		reverse = p.register
	}
	p.mux.HandleFunc("/reverse", reverse)
	p.mux.Handle("/revdial", revdial.ConnHandler())
	p.web = httptest.NewUnstartedServer(p.mux)
	p.web.Config.ErrorLog = nil
	p.web.StartTLS()
	p.addr = p.web.Listener.Addr().String()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.web.Certificate().Raw}), 0o644); err != nil {
		t.Fatal(err)
	}
	roots, err := netdial.Roots(ca)
	if err != nil {
		t.Fatal(err)
	}
	p.dialer = &netdial.Dialer{Roots: roots, Proxy: noProxy}
	t.Cleanup(p.web.Close)
	return p
}

func noProxy(*http.Request) (*url.URL, error) { return nil, nil }

// register does what upstream's coordinator does, with its bare answer.
func (p *peer) register(w http.ResponseWriter, r *http.Request) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		p.t.Error(err)
		return
	}
	(&http.Response{StatusCode: http.StatusSwitchingProtocols, Proto: "HTTP/1.1"}).Write(conn) // gives HTTP/0.0
	d := revdial.NewDialer(conn, "/revdial")
	p.t.Cleanup(func() { d.Close() })
	p.headers <- r.Header
	p.links <- d
}

// worker starts a Reverse for the peer; stop ends it and returns what Run
// returned.
func (p *peer) worker(h http.Handler, dialer *netdial.Dialer, addr string) (stop func() error) {
	rev := &Reverse{
		Coordinator: addr, HostType: "host-x-y", Hostname: "board",
		Key:    func() (string, error) { return "the key", nil },
		Dialer: dialer, Handler: h, Log: testLog(),
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- rev.Run(ctx) }()
	stop = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	p.t.Cleanup(func() { stop() })
	return stop
}

// link waits for a registration.
func (p *peer) link() *revdial.Dialer {
	p.t.Helper()
	select {
	case d := <-p.links:
		return d
	case <-time.After(patience):
		p.t.Fatalf("nobody registered within %s", patience)
		return nil
	}
}

// over returns a client of the worker behind d.
func (p *peer) over(d *revdial.Dialer) *Client {
	tr := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return d.Dial(ctx) }}
	p.t.Cleanup(tr.CloseIdleConnections)
	return NewClient("http://board", ClientOptions{HTTP: &http.Client{Transport: tr}})
}

func TestReverseServes(t *testing.T) {
	p := newPeer(t, nil)
	s := serve(t, Options{})
	stop := p.worker(s.Server, p.dialer, p.addr)
	d := p.link()
	header := <-p.headers
	for name, want := range map[string]string{
		"X-Go-Host-Type": "host-x-y", "X-Go-Builder-Key": "the key", "X-Go-Builder-Hostname": "board",
		"X-Go-Builder-Version": "29", "X-Revdial-Version": "2",
	} {
		if got := header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	c := p.over(d)
	var calls sync.WaitGroup
	for range 40 {
		calls.Go(func() {
			state, err := c.Exec(t.Context(), "true", ExecOptions{SystemLevel: true})
			if err != nil || !state.OK() {
				t.Errorf("exec: %+v, %v", state, err)
			}
		})
	}
	calls.Wait()
	if err := stop(); err != nil {
		t.Errorf("Run: %v", err)
	}
}

// A lost link is made again, and what ran over the old one is dead.
func TestReverseReturns(t *testing.T) {
	p := newPeer(t, nil)
	s := serve(t, Options{})
	p.worker(s.Server, p.dialer, p.addr)
	d := p.link()
	running := make(chan struct{})
	ended := make(chan error, 1)
	go func() {
		_, err := p.over(d).Exec(t.Context(), "sleep", ExecOptions{SystemLevel: true, Args: []string{"600"}, OnStart: func() { close(running) }})
		ended <- err
	}()
	<-running
	d.Close()
	if err := <-ended; err == nil {
		t.Error("the command ended well")
	}
	d = p.link()
	if status, err := p.over(d).Status(t.Context()); err != nil || status.Version != Version {
		t.Errorf("status over the new link: %+v, %v", status, err)
	}
	deadline := time.Now().Add(patience)
	for s.Busy() > 0 {
		if time.Now().After(deadline) {
			t.Fatal("the command of the old link still runs")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// Redirects are followed on the same connection, once (build protocol,
// section 2.4).
func TestReverseRedirects(t *testing.T) {
	var conns sync.Map
	p := newPeer(t, func(w http.ResponseWriter, r *http.Request) {
		conns.Store("first", r.RemoteAddr)
		http.Redirect(w, r, "/elsewhere?a=b", http.StatusTemporaryRedirect)
	})
	p.mux.HandleFunc("/elsewhere", func(w http.ResponseWriter, r *http.Request) {
		conns.Store("second", r.RemoteAddr)
		p.register(w, r)
	})
	p.worker(http.NotFoundHandler(), p.dialer, p.addr)
	p.link()
	if header := <-p.headers; header.Get("X-Go-Builder-Key") != "the key" {
		t.Errorf("the headers were not sent again: %v", header)
	}
	first, _ := conns.Load("first")
	if second, _ := conns.Load("second"); first != second {
		t.Errorf("connections %v and %v, want one", first, second)
	}
}

func TestReverseRefusals(t *testing.T) {
	redirect := func(to string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", to)
			w.WriteHeader(http.StatusTemporaryRedirect)
		}
	}
	for _, tt := range []struct {
		name       string
		reverse    http.HandlerFunc
		text, hint string
	}{
		{"wrong key", func(w http.ResponseWriter, r *http.Request) {
			http.Error(w, "invalid build key", http.StatusPreconditionFailed)
		}, "412 Precondition Failed: invalid build key", "host-x-y"},
		{"unknown type", func(w http.ResponseWriter, r *http.Request) {
			http.Error(w, "unknown host type", http.StatusBadRequest)
		}, "unknown host type", ""},
		{"no coordinator", http.NotFound, "404", "a coordinator?"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPeer(t, tt.reverse)
			err := (&Reverse{Coordinator: p.addr, HostType: "host-x-y", Hostname: "board", Dialer: p.dialer, Log: testLog(),
				Key: func() (string, error) { return "the key", nil }}).Run(t.Context())
			if err == nil || !strings.Contains(err.Error(), tt.text) || !strings.Contains(err.Error(), p.addr) {
				t.Errorf("error %v, want one with %q and the address", err, tt.text)
			}
			if h := hint.Of(err); !strings.Contains(h, tt.hint) {
				t.Errorf("hint %q, want one with %q", h, tt.hint)
			}
			if err != nil && strings.Contains(err.Error()+hint.Of(err), "the key ") {
				t.Errorf("the key is shown: %v", err)
			}
		})
	}
	for name, to := range map[string]string{"another server": "https://elsewhere.example/reverse", "no target": "", "in circles": "/reverse"} {
		t.Run(name, func(t *testing.T) {
			p := newPeer(t, redirect(to))
			conn, err := p.dialer.DialTLS(t.Context(), p.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := switchProtocols(t.Context(), conn, "/reverse", nil); err == nil || !strings.Contains(err.Error(), "redirect") {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestReverseNotTrusted(t *testing.T) {
	p := newPeer(t, nil)
	err := (&Reverse{Coordinator: p.addr, HostType: "host-x-y", Hostname: "board", Dialer: &netdial.Dialer{Proxy: noProxy}, Log: testLog(),
		Key: func() (string, error) { return "the key", nil }}).Run(t.Context())
	if err == nil || !strings.Contains(hint.Of(err), "--ca-file") {
		t.Errorf("error %v, hint %q", err, hint.Of(err))
	}
}

func TestReverseWithoutKey(t *testing.T) {
	want := errors.New("no key")
	err := (&Reverse{Coordinator: "localhost:1", Key: func() (string, error) { return "", want }, Log: testLog()}).Run(t.Context())
	if !errors.Is(err, want) {
		t.Errorf("error %v, want %v", err, want)
	}
}

// An unreachable coordinator is tried again until the context ends.
func TestReverseUnreachable(t *testing.T) {
	addr := dialtest.FreeAddr(t)
	r := &Reverse{Coordinator: addr, HostType: "host-x-y", Hostname: "board", Dialer: &netdial.Dialer{Proxy: noProxy}, Log: testLog(),
		Key: func() (string, error) { return "the key", nil }}
	if err := r.session(t.Context(), "the key", testLog(), func() {}); err == nil || final(err) || !strings.Contains(err.Error(), addr) || !strings.Contains(err.Error(), "after") {
		t.Errorf("error %v, want a passing one that says what was dialled, and for how long", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := r.Run(ctx); err != nil {
		t.Errorf("Run: %v, want nil when its context ends", err)
	}
}

// A refused pick-up is reported, so that the coordinator's dial fails at once.
func TestPickUpFailed(t *testing.T) {
	p := newPeer(t, nil)
	p.worker(http.NotFoundHandler(), p.dialer, p.addr)
	d := p.link()
	p.mux.HandleFunc("/refuses", func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, strings.Repeat("no! ", 5000), http.StatusTeapot)
	})
	refusing := revdial.NewDialer(p.secondLink(), "/refuses")
	defer refusing.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := refusing.Dial(ctx); err == nil || !strings.Contains(err.Error(), "418") {
		t.Errorf("error %v, want the refusal", err)
	}
	// The link is none the worse for it.
	if conn, err := d.Dial(ctx); err != nil {
		t.Error(err)
	} else {
		conn.Close()
	}
}

// secondLink returns the coordinator's end of the control connection of a
// listener of its own.
func (p *peer) secondLink() net.Conn {
	near, far := net.Pipe()
	ln := newRevListener(far, func(ctx context.Context) (net.Conn, error) { return p.dialer.DialTLS(ctx, p.addr) }, linkTerms{silence: keepAliveWait})
	p.t.Cleanup(func() {
		near.Close()
		ln.Close()
	})
	return near
}

func TestControlLines(t *testing.T) {
	for _, tt := range []struct{ name, send, want string }{
		{"closed", "", "closed the link"},
		{"too long", strings.Repeat("x", maxControlLine+1), "more than 4096 bytes"},
		{"too long, with its end", `{"command":"` + strings.Repeat("x", maxControlLine) + "\"}\n", "more than 4096 bytes"},
		{"not JSON", "hello\n", "not JSON"},
		{"unknown command, then closed", "{\"command\":\"dance\"}\n{\"command\":\"keep-alive\",\"new\":1}\n", "closed the link"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			near, far := net.Pipe()
			ln := newRevListener(far, nil, linkTerms{silence: keepAliveWait})
			go func() {
				io.WriteString(near, tt.send)
				near.Close()
			}()
			if _, err := ln.Accept(); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
			ln.Close()
		})
	}
}

// An answer without end is not read into memory.
func TestEndlessAnswer(t *testing.T) {
	ln, err := tls.Listen("tcp", "127.0.0.1:0", newPeer(t, nil).web.TLS)
	if err != nil {
		t.Fatal(err)
	}
	sent := make(chan int, 1)
	go func() {
		n := 0
		defer func() { sent <- n }()
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nX-Long: ")
		for range 1000 {
			m, err := conn.Write(make([]byte, 64<<10))
			if n += m; err != nil {
				return
			}
		}
	}()
	conn, err := tls.Dial("tcp", ln.Addr().String(), &tls.Config{InsecureSkipVerify: true}) // only its bytes matter
	if err != nil {
		t.Fatal(err)
	}
	_, err = switchProtocols(t.Context(), conn, "/reverse", nil)
	conn.Close()
	ln.Close()
	if err == nil {
		t.Error("an endless header was accepted")
	}
	if n := <-sent; n > 16<<20 {
		t.Errorf("%d bytes were taken", n)
	}
}

// A handshake ends with its context though the other side says nothing.
func TestSilentAnswer(t *testing.T) {
	near, far := net.Pipe()
	defer near.Close()
	go io.Copy(io.Discard, near)
	ctx, cancel := context.WithTimeoutCause(t.Context(), 20*time.Millisecond, fmt.Errorf("enough"))
	defer cancel()
	if _, err := switchProtocols(ctx, far, "/reverse", nil); err == nil || !strings.Contains(err.Error(), "enough") {
		t.Errorf("error %v", err)
	}
	far.Close()
}

// With the defaults a half-open link is cut within 45 s, and one that lives is
// not: upstream's coordinator sends a line every 30 s.
func TestEvictionArithmetic(t *testing.T) {
	const within, upstreamsPause = 45 * time.Second, 30 * time.Second
	r := &Reverse{}
	plain, pinged := r.terms(nil), r.terms([]string{"claim", "ping"})
	if plain.ping != 0 || plain.silence > within || plain.silence < upstreamsPause+10*time.Second {
		t.Errorf("without pings: %+v", plain)
	}
	if pinged.ping == 0 || pinged.silence > within || pinged.silence < 2*pinged.ping+sendWait {
		t.Errorf("with pings: %+v", pinged)
	}
}

func FuzzControlLine(f *testing.F) {
	f.Add([]byte("{\"command\":\"keep-alive\"}\n"))
	f.Add([]byte("{\"command\":\"conn-ready\",\"connPath\":\"/revdial?revdial.dialer=x\"}\n"))
	f.Add([]byte("{\"command\":\"conn-ready\",\"connPath\":\":// \\u0000\"}\n"))
	f.Add([]byte("[]\n"))
	f.Fuzz(func(t *testing.T, sent []byte) {
		near, far := net.Pipe()
		ln := newRevListener(far, func(context.Context) (net.Conn, error) { return nil, errors.New("no line") }, linkTerms{silence: keepAliveWait})
		go io.Copy(io.Discard, near)
		near.SetWriteDeadline(time.Now().Add(patience))
		near.Write(sent)
		near.Close()
		if _, err := ln.Accept(); err == nil {
			t.Error("a connection came of nothing")
		}
		ln.Close()
	})
}
