package netdial

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gobuild/pkg/hint"
	"gobuild/pkg/netdial/dialtest"
)

// serve starts a TLS server and returns its address and the file with its CA.
func serve(t *testing.T) (addr, caFile string) {
	t.Helper()
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") }))
	srv.Config.ErrorLog = nil
	t.Cleanup(srv.Close)
	caFile = filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	if err := os.WriteFile(caFile, block, 0o644); err != nil {
		t.Fatal(err)
	}
	return srv.Listener.Addr().String(), caFile
}

func direct(*http.Request) (*url.URL, error) { return nil, nil }

func dial(t *testing.T, d *Dialer, addr string) (*tls.Conn, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	conn, err := d.DialTLS(ctx, addr)
	if err == nil {
		t.Cleanup(func() { conn.Close() })
	}
	return conn, err
}

func TestDialVerifies(t *testing.T) {
	addr, caFile := serve(t)
	roots, err := Roots("", caFile)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := dial(t, &Dialer{Roots: roots, Proxy: direct}, addr)
	if err != nil {
		t.Fatal(err)
	}
	if proto := conn.ConnectionState().NegotiatedProtocol; proto != "" {
		t.Errorf("negotiated %q, want no ALPN", proto)
	}
}

func TestDialErrorsSayWhatToDo(t *testing.T) {
	addr, caFile := serve(t)
	_, port, _ := net.SplitHostPort(addr)
	roots, err := Roots(caFile)
	if err != nil {
		t.Fatal(err)
	}
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	free := dialtest.FreeAddr(t)
	for _, tt := range []struct {
		name       string
		dialer     Dialer
		addr       string
		text, hint string
	}{
		{"not trusted", Dialer{}, addr, "certificate", "--ca-file"},
		{"another name", Dialer{Roots: roots}, "localhost:" + port, "certificate", "another name"},
		{"no TLS", Dialer{}, plain.Listener.Addr().String(), "TLS handshake", "does not speak TLS"},
		{"refused", Dialer{}, free, "refused", "nothing listens"},
		{"no port", Dialer{}, "localhost", "bad address", "HOST:PORT"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.dialer.Proxy = direct
			_, err := dial(t, &tt.dialer, tt.addr)
			if err == nil || !strings.Contains(err.Error(), tt.text) || !strings.Contains(err.Error(), tt.addr) {
				t.Errorf("error %v, want one with %q and %q", err, tt.text, tt.addr)
			}
			if h := hint.Of(err); !strings.Contains(h, tt.hint) {
				t.Errorf("hint %q, want one with %q", h, tt.hint)
			}
		})
	}
}

// A server that takes the connection and says nothing does not hang a dial.
func TestDialEndsWithContext(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = (&Dialer{Proxy: direct}).DialTLS(ctx, ln.Addr().String())
	if err == nil || !strings.Contains(hint.Of(err), "no answer") {
		t.Errorf("error %v, hint %q", err, hint.Of(err))
	}
}

func TestRootsErrors(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, []byte("no certificate\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{empty, empty + ".none"} {
		if _, err := Roots(file); err == nil || !strings.Contains(err.Error(), file) || hint.Of(err) == "" {
			t.Errorf("Roots(%s): error %v, hint %q", file, err, hint.Of(err))
		}
	}
}

// proxy is a proxy that answers CONNECT with status, and tunnels on 200.
func proxy(t *testing.T, status int, seen *http.Request) *url.URL {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				req, err := http.ReadRequest(bufio.NewReader(c))
				if err != nil {
					return
				}
				*seen = *req
				fmt.Fprintf(c, "HTTP/1.1 %d %s\r\n\r\n", status, http.StatusText(status))
				if status != http.StatusOK {
					return
				}
				up, err := net.Dial("tcp", req.Host)
				if err != nil {
					return
				}
				defer up.Close()
				go io.Copy(up, c)
				io.Copy(c, up)
			}()
		}
	}()
	return &url.URL{Scheme: "http", Host: ln.Addr().String(), User: url.UserPassword("joe", "secret")}
}

func TestDialThroughProxy(t *testing.T) {
	addr, caFile := serve(t)
	roots, err := Roots(caFile)
	if err != nil {
		t.Fatal(err)
	}
	var seen http.Request
	p := proxy(t, http.StatusOK, &seen)
	via := func(*http.Request) (*url.URL, error) { return p, nil }
	if _, err := dial(t, &Dialer{Roots: roots, Proxy: via}, addr); err != nil {
		t.Fatal(err)
	}
	if seen.Method != "CONNECT" || seen.Host != addr || !strings.HasPrefix(seen.Header.Get("Proxy-Authorization"), "Basic ") {
		t.Errorf("the proxy saw %s %s with %v", seen.Method, seen.Host, seen.Header)
	}
}

func TestProxyRefuses(t *testing.T) {
	for status, want := range map[int]string{407: "name and password", 403: "allow"} {
		var seen http.Request
		p := proxy(t, status, &seen)
		_, err := dial(t, &Dialer{Proxy: func(*http.Request) (*url.URL, error) { return p, nil }}, "farm.example:443")
		if err == nil || !strings.Contains(err.Error(), fmt.Sprint(status)) || !strings.Contains(hint.Of(err), want) {
			t.Errorf("status %d: error %v, hint %q", status, err, hint.Of(err))
		}
		if !Lasting(err) {
			t.Errorf("status %d: to be tried again", status)
		}
		if err != nil && strings.Contains(err.Error()+hint.Of(err), "secret") {
			t.Errorf("the proxy's password is shown: %v", err)
		}
	}
}
