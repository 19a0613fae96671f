package machinetoken

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"gobuild/pkg/machinetoken/mintserver"
)

// patience bounds the wait for what should take no time.
const patience = 30 * time.Second

func TestMain(m *testing.M) {
	if saveUntilKilled() {
		return
	}
	goleak.VerifyTestMain(m)
}

const testHost = "linux-riscv64-joe"

// newKey makes a key of the smallest size that a CA would sign.
func newKey() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
}

// testKeys are keys for all tests: to make one takes long.
var testKeys = sync.OnceValue(func() (keys struct{ ca, bot, server *rsa.PrivateKey }) {
	keys.ca, keys.bot, keys.server = newKey(), newKey(), newKey()
	return keys
})

// farm is a token server, and a machine with a certificate.
type farm struct {
	t        testing.TB
	dir      string
	ca       *x509.Certificate
	web      *httptest.Server
	backend  string // under a name that takes TLS
	plain    string // without TLS
	roots    *x509.CertPool
	log      bytes.Buffer
	lifetime time.Duration

	mu       sync.Mutex
	mint     *mintserver.Server
	fault    http.HandlerFunc // answers in place of the server, if not nil
	requests []*http.Request
	bodies   []string
}

func newFarm(t testing.TB) *farm { return newFarmWith(t, time.Hour) }

func newFarmWith(t testing.TB, lifetime time.Duration) *farm {
	t.Helper()
	f := &farm{t: t, dir: t.TempDir(), lifetime: lifetime}
	keys := testKeys()
	f.ca = certify(t, &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test CA"},
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, nil, keys.ca)
	f.issue(func(*x509.Certificate) {})
	f.write("bot.key", pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(keys.bot)}), 0o600)
	signer, err := mintserver.NewSigner("x@example.iam.gserviceaccount.com", keys.server)
	if err != nil {
		t.Fatal(err)
	}
	f.mint, err = mintserver.New(mintserver.Options{
		Signer: signer,
		CAs: []mintserver.CA{{ID: 7, Certificate: f.ca,
			Domains: []mintserver.Domain{{Names: []string{"bots.golang.org"}, Lifetime: lifetime}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	f.web = f.listen(t)
	f.backend = "LOCALHOST" + strings.TrimPrefix(f.web.URL, "https://127.0.0.1")
	plain := httptest.NewUnstartedServer(http.HandlerFunc(f.serve))
	plain.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	plain.Start()
	f.plain = strings.TrimPrefix(plain.URL, "http://")
	t.Cleanup(func() {
		plain.CloseClientConnections()
		plain.Close()
	})
	return f
}

// listen starts the server under TLS, for the name localhost.
func (f *farm) listen(t testing.TB) *httptest.Server {
	cert := certify(t, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}, f.ca, testKeys().ca)
	web := httptest.NewUnstartedServer(http.HandlerFunc(f.serve))
	web.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	web.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{cert.Raw}, PrivateKey: testKeys().ca}}}
	web.StartTLS()
	t.Cleanup(func() {
		web.CloseClientConnections()
		web.Close()
	})
	f.roots = x509.NewCertPool()
	f.roots.AddCert(f.ca)
	return web
}

// certify makes a certificate of the CA's key, or of the bot's for a bot.
func certify(t testing.TB, template, parent *x509.Certificate, signer *rsa.PrivateKey) *x509.Certificate {
	t.Helper()
	pub := &testKeys().ca.PublicKey
	if strings.Contains(template.Subject.CommonName, ".") {
		pub = &testKeys().bot.PublicKey
	}
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, pub, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// issue writes the bot's certificate, changed by edit.
func (f *farm) issue(edit func(*x509.Certificate)) {
	name := testHost + ".bots.golang.org"
	template := &x509.Certificate{
		SerialNumber: big.NewInt(0x1f), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(90 * 24 * time.Hour),
	}
	edit(template)
	cert := certify(f.t, template, f.ca, testKeys().ca)
	f.write("bot.cert", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}), 0o644)
}

func (f *farm) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	f.mu.Lock()
	f.requests, f.bodies = append(f.requests, r), append(f.bodies, string(body))
	fault, mint := f.fault, f.mint
	f.mu.Unlock()
	if fault != nil {
		fault(w, r)
		return
	}
	mint.ServeHTTP(w, r)
}

// breakWith lets the server answer by fault.
func (f *farm) breakWith(fault http.HandlerFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault, f.requests, f.bodies = fault, nil, nil
}

func (f *farm) calls() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.requests)
}

func (f *farm) path(name string) string { return filepath.Join(f.dir, name) }

func (f *farm) write(name string, content []byte, mode os.FileMode) {
	f.t.Helper()
	os.Remove(f.path(name))
	if err := os.WriteFile(f.path(name), content, mode); err != nil {
		f.t.Fatal(err)
	}
}

func (f *farm) read(name string) string {
	f.t.Helper()
	text, err := os.ReadFile(f.path(name))
	if err != nil {
		f.t.Fatal(err)
	}
	return string(text)
}

// daemon returns the machine's daemon.
func (f *farm) daemon() *Daemon {
	return &Daemon{
		Backend: f.backend, CertFile: f.path("bot.cert"), KeyFile: f.path("bot.key"),
		TokenFile: f.path("token.json"), StatusFile: f.path("status.json"),
		Timeout: patience, Roots: f.roots, Log: slog.New(slog.NewTextHandler(&f.log, nil)),
	}
}

// briefly returns what does a run in a time that is enough for so many attempts,
// and not for many more.
func (f *farm) briefly(attempts int) func(*Daemon) Result {
	return func(d *Daemon) Result {
		f.t.Helper()
		for d.Timeout = 700 * time.Millisecond; ; d.Timeout *= 3 {
			if r := f.once(d); r.Attempts >= attempts || d.Timeout > patience {
				return r
			}
		}
	}
}

// once does a run that has to end within patience, and checks that the status
// file says the same, and that nothing shows a secret.
func (f *farm) once(d *Daemon) Result {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	r := d.Once(ctx)
	var s status
	if err := json.Unmarshal([]byte(f.read("status.json")), &s); err != nil {
		f.t.Fatal(err)
	}
	if s.Outcome != r.Outcome || s.Reason != r.Reason || (s.Failure != "") != (r.Err != nil) || s.Expiry != unix(r.Expiry) {
		f.t.Errorf("status file %+v does not fit %+v", s, r)
	}
	f.checkSecrets(f.read("status.json"), f.log.String())
	return r
}

func (f *farm) checkSecrets(texts ...string) {
	f.t.Helper()
	token, err := ReadTokenFile(f.path("token.json"))
	if err != nil {
		token.Token = ""
	}
	key, _, _ := strings.Cut(f.read("bot.key")[100:], "\n")
	for _, text := range texts {
		if token.Token != "" && strings.Contains(text, token.Token) || strings.Contains(text, key) {
			f.t.Errorf("a secret in: %s", text)
		}
	}
}
