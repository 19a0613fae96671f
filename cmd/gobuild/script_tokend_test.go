//go:build !plan9

package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"gobuild/pkg/machinetoken/mintserver"
)

// scriptTokenServer is a token server of a script.
type scriptTokenServer struct {
	fault atomic.Pointer[string]
	calls atomic.Int32
}

// scriptTokenServers are the token servers of the scripts that run.
var scriptTokenServers sync.Map // *testscript.TestScript → *scriptTokenServer

// scriptTokenKey is a key for every part: to make one takes long.
var scriptTokenKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// scriptTokend is "tokenserver COMMAND", a LUCI token server:
//
//	tokenserver start       start it; writes bot.key, bot.cert and ca.pem, sets GOBUILD_CA_FILE and backend
//	tokenserver FAULT       from now on good, hang, or an HTTP status without a pRPC code
//	tokenserver calls COUNT so often was it called since the last command
func scriptTokend(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: tokenserver start|good|hang|STATUS|calls ...")
	}
	if args[0] == "start" {
		startTokenServer(ts)
		return
	}
	found, ok := scriptTokenServers.Load(ts)
	if !ok {
		ts.Fatalf("tokenserver start comes first")
	}
	s := found.(*scriptTokenServer)
	if args[0] != "calls" {
		s.fault.Store(&args[0])
		s.calls.Store(0)
		return
	}
	want := int32(0)
	fmt.Sscan(args[1], &want)
	// The call may still be on its way.
	for deadline := time.Now().Add(scriptPatience); s.calls.Load() < want && time.Now().Before(deadline); {
		time.Sleep(5 * time.Millisecond)
	}
	if n := s.calls.Load(); n != want {
		ts.Fatalf("%d calls, want %d", n, want)
	}
}

func startTokenServer(ts *testscript.TestScript) {
	key, err := scriptTokenKey()
	ts.Check(err)
	certify := func(file, name string, parent *x509.Certificate) *x509.Certificate {
		template := &x509.Certificate{
			SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(90 * 24 * time.Hour),
			IsCA: parent == nil, BasicConstraintsValid: true,
		}
		if parent == nil {
			parent = template
		}
		der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), key)
		ts.Check(err)
		cert, err := x509.ParseCertificate(der)
		ts.Check(err)
		ts.Check(os.WriteFile(ts.MkAbs(file), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644))
		return cert
	}
	ca := certify("ca.pem", "script CA", nil)
	certify("bot.cert", "linux-riscv64-joe.bots.golang.org", ca)
	server := certify("server.cert", "localhost", ca)
	ts.Check(os.WriteFile(ts.MkAbs("bot.key"), pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}), 0o600))

	signer, err := mintserver.NewSigner("x@example.iam.gserviceaccount.com", key)
	ts.Check(err)
	s := &scriptTokenServer{}
	good := "good"
	s.fault.Store(&good)
	mint, err := mintserver.New(mintserver.Options{
		Signer: signer,
		CAs: []mintserver.CA{{ID: 1, Certificate: ca,
			Domains: []mintserver.Domain{{Names: []string{"bots.golang.org"}, Lifetime: time.Hour}}}},
		Intercept: s.intercept,
	})
	ts.Check(err)
	web := httptest.NewUnstartedServer(mint)
	web.Config.ErrorLog = log.New(io.Discard, "", 0)
	web.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{server.Raw}, PrivateKey: key}}}
	web.StartTLS()
	scriptTokenServers.Store(ts, s)
	ts.Defer(func() {
		web.CloseClientConnections()
		web.Close()
		scriptTokenServers.Delete(ts)
	})
	// In small letters it would be called without TLS.
	ts.Setenv("backend", strings.Replace(web.URL, "https://127.0.0.1", "LOCALHOST", 1))
	ts.Setenv("GOBUILD_CA_FILE", ts.MkAbs("ca.pem"))
}

// intercept answers a request if the server is to be broken.
func (s *scriptTokenServer) intercept(w http.ResponseWriter, r *http.Request) bool {
	s.calls.Add(1)
	status := 0
	switch fault := *s.fault.Load(); fault {
	case "good":
		return false
	case "hang":
		io.Copy(io.Discard, r.Body) // or the end of the connection is not seen
		<-r.Context().Done()
	default:
		fmt.Sscan(fault, &status)
		http.Error(w, "out of order", status)
	}
	return true
}
