package farmbot

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gobuild/pkg/netdial"
	"gobuild/pkg/supervise"
	"gobuild/pkg/supervise/control"
)

// wallClock is a time of day that jumps.
type wallClock struct{ off atomic.Int64 }

// now is without the monotonic clock's reading, as a time is that was read
// from a file.
func (c *wallClock) now() time.Time {
	return time.Now().Round(0).Add(time.Duration(c.off.Load()))
}

func (c *wallClock) jump(by time.Duration) { c.off.Add(int64(by)) }

// The time of day jumps, by years too: what runs runs on, under the same
// process, and a pause ends when the clock on the wall says so.
func TestClockJumps(t *testing.T) {
	const year = 365 * 24 * time.Hour
	var clock wallClock
	f := begin(t, func(o *Options) { o.Clock = clock.now })
	pid := f.phase(supervise.Idle).Pid
	stays := func(what string, name supervise.PhaseName) {
		t.Helper()
		f.changed()
		// A look or two.
		for end := time.Now().Add(tendPause * 3 / 2); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			if st := f.Status(); st.Pid != pid || st.Phase.Name != name || st.Starts != 1 {
				t.Fatalf("%s: %+v, phase %+v", what, st, st.Phase)
			}
		}
	}
	for _, by := range []time.Duration{10 * year, -20 * year, 10 * year} {
		clock.jump(by)
		stays("idle, and it jumped by "+by.String(), supervise.Idle)
	}
	f.do("work")
	f.phase(supervise.Working)
	for _, by := range []time.Duration{year, -year} {
		clock.jump(by)
		stays("working, and it jumped by "+by.String(), supervise.Working)
	}
	f.do("")
	f.phase(supervise.Idle)

	f.want(control.Wish{State: control.Paused, Until: clock.now().Add(24 * time.Hour)})
	f.phase(supervise.Paused)
	clock.jump(-year)
	stays("paused, and it jumped back", supervise.Paused)
	clock.jump(year + 23*time.Hour)
	stays("paused, and an hour is left", supervise.Paused)
	began := time.Now()
	clock.jump(2 * time.Hour)
	f.phase(supervise.Idle)
	t.Logf("idle again %s after the clock jumped past the pause's end", time.Since(began).Round(time.Millisecond))
	if w, err := control.Load(f.state); err != nil || w.State != control.Open {
		t.Errorf("kept %+v, %v", w, err)
	}
	clock.jump(-year) // the pause does not come back
	stays("open, and it jumped back", supervise.Idle)
	if st := f.Status(); st.Pid != pid || st.Starts != 1 {
		t.Errorf("it was started anew: %+v", st)
	}
}

// A machine whose clock is wrong finds certificates out of date. It waits,
// says so, and is back once the clock is set.
func TestClockIsWrong(t *testing.T) {
	// What a machine sees whose clock is 3 s slow, and is set then.
	addr, roots := serveFrom(t, time.Now().Add(3*time.Second))
	f := begin(t, func(o *Options) {
		o.Coordinator = addr
		o.Dialer = &netdial.Dialer{Roots: roots, Proxy: func(*http.Request) (*url.URL, error) { return nil, nil }}
	})
	f.await("it says what it waits for", func(st supervise.Status) bool {
		return st.Pid == 0 && strings.Contains(st.Why, "waiting for the network: ") && strings.Contains(st.Why, "expired or is not yet valid")
	})
	began := time.Now()
	if st := f.phase(supervise.Idle); st.Row != 0 {
		t.Errorf("it counts as a failure: %+v", st)
	}
	t.Logf("idle %s later", time.Since(began).Round(time.Millisecond))
}

// serveFrom serves TLS with a certificate that holds from a time on.
func serveFrom(t *testing.T, from time.Time) (addr string, roots *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: from, NotAfter: from.Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots = x509.NewCertPool()
	roots.AddCert(cert)
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		srv := http.Server{Handler: http.NotFoundHandler(), ErrorLog: log.New(io.Discard, "", 0)}
		srv.Serve(ln)
	}()
	t.Cleanup(func() {
		ln.Close()
		<-served
	})
	return ln.Addr().String(), roots
}
