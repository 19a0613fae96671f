package buildlet

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"gobuild/pkg/hint"
	"gobuild/pkg/netdial/dialtest"
)

// runWorker runs a listening worker until the returned function is called.
func runWorker(t *testing.T, cert *tls.Certificate) (addr, work string, stop func() error) {
	t.Helper()
	work = t.TempDir()
	s, err := New(Options{WorkDir: work, Log: testLog()})
	if err != nil {
		t.Fatal(err)
	}
	addrs := make(chan net.Addr, 1)
	w := &Worker{Server: s, Listen: "127.0.0.1:0", Certificate: cert, Log: testLog(), OnListening: func(a net.Addr) { addrs <- a }}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	stopped := false
	stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		return <-ended
	}
	t.Cleanup(func() { stop() })
	select {
	case a := <-addrs:
		return a.String(), work, stop
	case err := <-ended:
		t.Fatal(err)
		return "", "", nil
	}
}

// A worker that ends lets what is under way end well.
func TestWorkerEnds(t *testing.T) {
	addr, work, stop := runWorker(t, nil)
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	c := NewClient("http://"+addr, ClientOptions{HTTP: &http.Client{Transport: transport}})
	pr, pw := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := c.Put(context.Background(), pr, "f", 0o644)
		pr.CloseWithError(io.ErrClosedPipe)
		done <- err
	}()
	if _, err := io.WriteString(pw, "first half, "); err != nil {
		t.Fatal(err)
	}
	await(t, "the upload is under way", func() bool { return len(names(t, work)) > len(ownDirs) })
	ended := make(chan error, 1)
	go func() { ended <- stop() }()
	await(t, "no more connections are taken", func() bool {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
	io.WriteString(pw, "second half")
	pw.Close()
	if err := <-done; err != nil {
		t.Errorf("upload: %v", err)
	}
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
}

func TestWorkerTLS(t *testing.T) {
	web := httptest.NewTLSServer(nil)
	defer web.Close()
	addr, _, _ := runWorker(t, &web.TLS.Certificates[0])
	roots := x509.NewCertPool()
	roots.AddCert(web.Certificate())
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	c := NewClient("https://"+addr, ClientOptions{HTTP: &http.Client{Transport: transport}})
	if state, err := c.Exec(t.Context(), "/no/such", ExecOptions{}); err != nil || state.Started() {
		t.Errorf("state %q, %v", state.Text, err)
	}
}

func TestWorkerPortTaken(t *testing.T) {
	addr, _, _ := runWorker(t, nil)
	s, err := New(Options{WorkDir: t.TempDir(), Log: testLog()})
	if err != nil {
		t.Fatal(err)
	}
	err = (&Worker{Server: s, Listen: addr}).Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), addr) || !strings.Contains(hint.Of(err), "--listen") {
		t.Errorf("error %v, hint %q", err, hint.Of(err))
	}
	if err := s.Close(); err != nil {
		t.Errorf("a second Close: %v", err)
	}
}

// Probes are answered beside a link, and their port is no reason to fail.
func TestWorkerHealth(t *testing.T) {
	var lines strings.Builder
	w := &Worker{HealthAddr: "127.0.0.1:0", Log: testLog()}
	w.serveHealth()()
	ln, err := net.Listen("tcp", dialtest.FreeAddr(t))
	if err != nil {
		t.Fatal(err)
	}
	w.HealthAddr = ln.Addr().String()
	w.serveHealth()()
	ln.Close()
	stop := w.serveHealth()
	defer stop()
	resp, err := http.Get("http://" + w.HealthAddr + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(&lines, resp.Body)
	resp.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	if resp.StatusCode != 200 || lines.String() != "ok\n" {
		t.Errorf("answer %s %q", resp.Status, lines.String())
	}
	if resp, err = http.Get("http://" + w.HealthAddr + "/exec"); err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	if resp.StatusCode != http.StatusNotFound {
		t.Errorf("more than probes are answered: %s", resp.Status)
	}
}
