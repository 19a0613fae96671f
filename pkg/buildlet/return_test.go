package buildlet

import (
	"context"
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
	"strings"
	"sync"
	"testing"
	"time"

	"gobuild/pkg/netdial"
)

// When the network is back, so is the machine within a minute: at worst an
// attempt hangs that began just before, and the longest pause follows.
func TestReturnArithmetic(t *testing.T) {
	const within, good = time.Minute, 5 * time.Second
	if worst := registerWait + maxBackOff + good; worst > within {
		t.Errorf("it may take %s", worst)
	}
}

// A certificate that is out of date at the first registration may be a clock
// that is not set yet: the worker goes on trying.
func TestClockIsWrong(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	// What a machine sees whose clock is 3 s slow, and is set then.
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(3 * time.Second), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
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
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	p := newPeer(t, nil)
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: p.mux, ErrorLog: log.New(io.Discard, "", 0)}
	var serving sync.WaitGroup
	serving.Go(func() { srv.Serve(ln) })
	t.Cleanup(func() {
		srv.Close()
		serving.Wait()
	})
	var mu sync.Mutex
	var said []string
	rev := &Reverse{
		Coordinator: ln.Addr().String(), HostType: "host-x-y", Hostname: "board",
		Key:    func() (string, error) { return "the key", nil },
		Dialer: &netdial.Dialer{Roots: roots, Proxy: noProxy}, Handler: http.NotFoundHandler(), Log: testLog(),
		OnLink: func(l LinkState) {
			mu.Lock()
			defer mu.Unlock()
			said = append(said, l.Why)
		},
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- rev.Run(ctx) }()
	p.link()
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if all := strings.Join(said, "\n"); !strings.Contains(all, "this machine's clock is wrong") {
		t.Errorf("it never said what was wrong: %s", all)
	}
}
