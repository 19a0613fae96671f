//go:build unix

package interop

import (
	"bytes"
	"compress/gzip"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"mime"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"gobuild/pkg/botcert"
	"gobuild/pkg/machinetoken/mintserver"
	"gobuild/pkg/machinetoken/tokenpb"
)

// realCA is a CA in the real token server's configuration.
type realCA struct {
	cert   *x509.Certificate
	crlURL string
}

var realDomains = []mintserver.Domain{
	{Names: []string{botcert.Domain, "other.example"}, Lifetime: time.Hour},
	{Names: []string{"forbidden.example"}},
}

// realTokenServer starts the real token server with CAs, whose ids are their
// places counted from 1, and returns its address.
func realTokenServer(t *testing.T, cas []realCA, args ...string) string {
	t.Helper()
	dir := t.TempDir()
	var config strings.Builder
	for i, ca := range cas {
		file := fmt.Sprintf("ca%d.pem", i)
		if err := os.WriteFile(filepath.Join(dir, file), block("CERTIFICATE", ca.cert.Raw), 0o600); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&config, "certificate_authority { unique_id: %d cn: %q cert_path: %q crl_url: %q\n",
			i+1, ca.cert.Subject.CommonName, file, ca.crlURL)
		for _, domain := range realDomains {
			fmt.Fprintf(&config, "known_domains { machine_token_lifetime: %d", int(domain.Lifetime.Seconds()))
			for _, name := range domain.Names {
				fmt.Fprintf(&config, " domain: %q", name)
			}
			fmt.Fprintln(&config, " }")
		}
		fmt.Fprintln(&config, "}")
	}
	if err := os.WriteFile(filepath.Join(dir, "tokenserver.cfg"), []byte(config.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	p := start(t, nil, "realtokenserver", append([]string{"-config", dir}, args...)...)
	p.await("listening on ")
	_, rest, _ := strings.Cut(p.text(), "listening on ")
	addr, _, _ := strings.Cut(rest, "\n")
	return addr
}

// verifyReally returns what the real server's code makes of a token.
func verifyReally(t *testing.T, addr, token string) (status int, text string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+addr+"/verify", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set(mintserver.Header, token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// realKeys returns what verifies the real server's tokens.
func realKeys(t *testing.T, addr string) map[string]mintserver.Keys {
	t.Helper()
	resp, err := http.Get("http://" + addr + "/keys")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var certs map[string]map[string]string
	if err := json.NewDecoder(resp.Body).Decode(&certs); err != nil {
		t.Fatal(err)
	}
	issuers := map[string]mintserver.Keys{}
	for email, byID := range certs {
		issuers[email] = mintserver.Keys{}
		for id, text := range byID {
			block, _ := pem.Decode([]byte(text))
			cert, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				t.Fatal(err)
			}
			issuers[email][id] = cert.PublicKey.(*rsa.PublicKey)
		}
	}
	return issuers
}

// Both daemons mint from the real token server. Its own code and ours agree on
// whose tokens these are, and each daemon takes the file of the other.
func TestTokendMintsReally(t *testing.T) {
	f := newFarm(t)
	crl := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		list, err := f.ca.CRL(time.Now(), time.Hour)
		if err != nil {
			t.Error(err)
		}
		w.Write(list)
	}))
	defer crl.Close()
	addr := realTokenServer(t, []realCA{{f.ca.Certificate, crl.URL}})
	_, port, _ := strings.Cut(addr, ":")
	backend := "localhost:" + port
	verifier := mintserver.Verifier{Issuers: realKeys(t, addr)}
	serial, _ := new(big.Int).SetString(f.issued.Serial, 16)
	for program, other := range map[string]string{"luci_machine_tokend": "gobuild", "gobuild": "luci_machine_tokend"} {
		t.Run(program, func(t *testing.T) {
			dir := t.TempDir()
			got := tokend(t, program, dir, f, backend, nil)
			if got.code != 0 || got.status.Outcome != "UPDATE_SUCCESS" || got.status.Version != "rehearsal/real" {
				t.Fatalf("code %d, status %+v\n%s", got.code, got.status, got.stderr)
			}
			token := checkTokenFile(t, got.token)
			want := fmt.Sprintf("bot:%s\nca 1\nserial %s\n", botcert.FQDN(botHost), serial)
			if status, text := verifyReally(t, addr, token); status != 200 || text != want {
				t.Errorf("real verification: %d, %q, want %q", status, text, want)
			}
			if bot, err := verifier.Verify(token); err != nil || fmt.Sprintf("%s\nca %d\nserial %s\n", bot.Identity(), bot.CA, bot.Serial) != want {
				t.Errorf("our verification: %+v, %v", bot, err)
			}
			again := tokend(t, other, dir, f, backend, nil)
			if again.code != 0 || again.status.Outcome != "TOKEN_IS_GOOD" || string(again.text) != string(got.text) {
				t.Errorf("%s with that file: code %d, status %+v\n%s", other, again.code, again.status, again.stderr)
			}
		})
	}
}

// The real server's clock is off; both daemons say so.
func TestTokendClockReally(t *testing.T) {
	f := newFarm(t)
	for _, skew := range []string{"11m", "-11m"} {
		_, port, _ := strings.Cut(realTokenServer(t, []realCA{{cert: f.ca.Certificate}}, "-skew", skew), ":")
		for program := range daemons {
			if got := tokend(t, program, t.TempDir(), f, "localhost:"+port, nil); got.status.Outcome != "MINT_TOKEN_ERROR_BAD_TIMESTAMP" {
				t.Errorf("%s, server's clock off by %s: status %+v", program, skew, got.status)
			}
		}
	}
}

// Real code and ours make the same of good and bad tokens, ours among them.
func TestVerifyReally(t *testing.T) {
	f := newFarm(t)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := mintserver.NewSigner(tokenAccount, key)
	if err != nil {
		t.Fatal(err)
	}
	signer := tokenSigner()
	trusted := map[string]map[string]string{tokenAccount: {}}
	for id, public := range signer.Keys() {
		template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour)}
		// Only the public key counts, so anybody may have signed it.
		der, err := x509.CreateCertificate(rand.Reader, template, template, public, key)
		if err != nil {
			t.Fatal(err)
		}
		trusted[tokenAccount][id] = string(block("CERTIFICATE", der))
	}
	text, err := json.Marshal(trusted)
	if err != nil {
		t.Fatal(err)
	}
	addr := realTokenServer(t, []realCA{{cert: f.ca.Certificate}}, "-trust", writeFile(t, "trust.json", string(text), 0o600))
	verifier := mintserver.Verifier{Issuers: map[string]mintserver.Keys{tokenAccount: signer.Keys()}}
	ours := httptest.NewServer(verifier.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if bot, ok := mintserver.BotFrom(r.Context()); ok {
			fmt.Fprintf(w, "%s\nca %d\nserial %s\n", bot.Identity(), bot.CA, bot.Serial)
		} else {
			fmt.Fprintln(w, "anonymous:anonymous")
		}
	})))
	defer ours.Close()

	token := func(s *mintserver.Signer, change func(*tokenpb.MachineTokenBody)) string {
		body := &tokenpb.MachineTokenBody{
			MachineFqdn: botcert.FQDN(botHost), IssuedBy: tokenAccount, IssuedAt: uint64(time.Now().Unix()), Lifetime: 3600, CaId: 9, CertSn: []byte{200, 1},
		}
		if change != nil {
			change(body)
		}
		token, err := s.Token(body)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	at := func(ago time.Duration) func(*tokenpb.MachineTokenBody) {
		return func(b *tokenpb.MachineTokenBody) { b.IssuedAt = uint64(time.Now().Add(-ago).Unix()) }
	}
	good := token(signer, nil)
	for _, tt := range []struct {
		name, token string
		status      int
	}{
		{"good", good, 200},
		{"none", "", 200},
		{"text", "hello, gophers", 401},
		{"padded", good + "=", 401},
		{"cut", good[:400], 401},
		{"signature changed", good[:len(good)-4] + "AAAA", 401},
		{"other key of that issuer", token(stranger, nil), 401},
		{"unknown issuer", token(signer, func(b *tokenpb.MachineTokenBody) { b.IssuedBy = "x@example.iam.gserviceaccount.com" }), 401},
		{"no issuer", token(signer, func(b *tokenpb.MachineTokenBody) { b.IssuedBy = "" }), 401},
		{"odd name", token(signer, func(b *tokenpb.MachineTokenBody) { b.MachineFqdn = "a b" }), 401},
		{"no name", token(signer, func(b *tokenpb.MachineTokenBody) { b.MachineFqdn = "" }), 401},
		{"capitals", token(signer, func(b *tokenpb.MachineTokenBody) { b.MachineFqdn = "Joe.bots.golang.org" }), 200},
		{"5 seconds early", token(signer, at(-5*time.Second)), 200},
		{"20 seconds early", token(signer, at(-20*time.Second)), 401},
		{"5 seconds late", token(signer, at(time.Hour+5*time.Second)), 200},
		{"20 seconds late", token(signer, at(time.Hour+20*time.Second)), 401},
		{"no life", token(signer, func(b *tokenpb.MachineTokenBody) { b.Lifetime = 0 }), 200},
		{"no serial", token(signer, func(b *tokenpb.MachineTokenBody) { b.CertSn = nil }), 200},
	} {
		status, text := verifyReally(t, addr, tt.token)
		ourStatus, ourText := verifyReally(t, ours.Listener.Addr().String(), tt.token)
		if status != tt.status || status != ourStatus || text != ourText {
			t.Errorf("%s: real %d %q, ours %d %q, want %d", tt.name, status, text, ourStatus, ourText, tt.status)
		}
	}
}

// tokenRequest is a request to a token server, as it goes over the wire.
type tokenRequest struct {
	name         string
	method, path string // POST and that of the method if empty
	headers      []string
	body         []byte
	loose        bool // the texts need not be the same, only the codes
}

// tokenAnswer is what can be compared of an answer.
type tokenAnswer struct {
	Status, GRPC, Type, Text string
	Date, Sniff              bool
	Code                     string // error_code
	Message, Version         string
	Token                    string // what it says, but for the issuer and the time
}

// ask sends a request and returns the answer.
func (r tokenRequest) ask(t *testing.T, addr string) tokenAnswer {
	t.Helper()
	method, path := r.method, r.path
	if method == "" {
		method = "POST"
	}
	if path == "" {
		path = mintserver.Path
	}
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+addr+path, bytes.NewReader(r.body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(r.headers); i += 2 {
		req.Header.Set(r.headers[i], r.headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := tokenAnswer{
		Status: resp.Status, GRPC: resp.Header.Get("X-Prpc-Grpc-Code"), Type: resp.Header.Get("Content-Type"),
		Date: resp.Header.Get("Date") != "", Sniff: resp.Header.Get("X-Content-Type-Options") == "nosniff",
	}
	if a.GRPC != "0" {
		// The present version of the real server names a charset, the pinned
		// one does not.
		a.Type, _, _ = mime.ParseMediaType(a.Type)
		// Package proto varies its spaces on purpose.
		a.Text = strings.ReplaceAll(string(body), "\u00a0", " ")
		if r.loose {
			a.Text, _, _ = strings.Cut(a.Text, ": ")
		}
		return a
	}
	var msg tokenpb.MintMachineTokenResponse
	switch a.Type {
	case "application/json":
		text, ok := strings.CutPrefix(string(body), ")]}'\n")
		if !ok || !strings.HasSuffix(text, "}\n") {
			t.Errorf("%s: answer %q", r.name, body)
		}
		err = protojson.Unmarshal([]byte(text), &msg)
	case "application/prpc; encoding=text":
		err = prototext.Unmarshal(body, &msg)
	default:
		err = proto.Unmarshal(body, &msg)
	}
	if err != nil {
		t.Fatalf("%s: %v: %q", r.name, err, body)
	}
	a.Code, a.Message, a.Version = msg.ErrorCode.String(), msg.ErrorMessage, msg.ServiceVersion
	if msg.TokenResponse != nil {
		a.Token = sayToken(t, msg.TokenResponse)
	}
	return a
}

// sayToken returns what a token response says, but for who issued the token
// and when.
func sayToken(t *testing.T, resp *tokenpb.MachineTokenResponse) string {
	t.Helper()
	token := resp.GetLuciMachineToken()
	var envelope tokenpb.MachineTokenEnvelope
	var body tokenpb.MachineTokenBody
	wire, err := base64.RawStdEncoding.DecodeString(token.GetMachineToken())
	if err == nil {
		err = proto.Unmarshal(wire, &envelope)
	}
	if err == nil {
		err = proto.Unmarshal(envelope.TokenBody, &body)
	}
	if err != nil {
		t.Fatalf("%v: %v", err, resp)
	}
	return fmt.Sprintf("%s life %d ca %d serial %x, response: %s, expires after %d s and %d ns", body.MachineFqdn, body.Lifetime, body.CaId,
		body.CertSn, resp.ServiceVersion, token.Expiry.Seconds-int64(body.IssuedAt), token.Expiry.Nanos)
}

// authority is a CA of these tests and its key.
type authority struct {
	cert *x509.Certificate
	key  *rsa.PrivateKey
}

func newAuthority(t *testing.T, name string, key *rsa.PrivateKey) authority {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage:  x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return authority{cert, key}
}

// issue returns a certificate for a key, after change.
func (a authority) issue(t *testing.T, public crypto.PublicKey, change func(*x509.Certificate)) []byte {
	t.Helper()
	name := botcert.FQDN(botHost)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(77), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	if change != nil {
		change(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, public, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// zeroSerial returns a certificate with the serial number 0, which
// crypto/x509 reads but does not make.
func (a authority) zeroSerial(t *testing.T, public crypto.PublicKey) []byte {
	t.Helper()
	der := a.issue(t, public, func(c *x509.Certificate) { c.SerialNumber.SetInt64(0x5a) })
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	tbs := bytes.Replace(slices.Clone(cert.RawTBSCertificate), []byte{2, 1, 0x5a}, []byte{2, 1, 0}, 1)
	der = bytes.Replace(der, cert.RawTBSCertificate, tbs, 1)
	signature := signPKCS1(t, a.key, tbs)
	copy(der[len(der)-len(signature):], signature)
	return der
}

func signPKCS1(t *testing.T, key *rsa.PrivateKey, data []byte) []byte {
	t.Helper()
	sum := sha256.Sum256(data)
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return signature
}

// The real token server and ours give the same answer to the same request,
// good or bad: status, codes, texts, and what the token says. One thing is
// known to differ: the server in production has one text for all that it does
// not trust, where the pinned version says more; that is what ours tells who
// runs it.
func TestAnswersEqualReally(t *testing.T) {
	newKey := func() *rsa.PrivateKey {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	key, caKey := newKey(), newKey()
	plain, listed, unready := newAuthority(t, "Plain CA", caKey), newAuthority(t, "Listed CA", caKey), newAuthority(t, "Unready CA", caKey)
	stranger, impostor := newAuthority(t, "Stranger CA", caKey), newAuthority(t, "Plain CA", newKey())
	list, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
		Number: big.NewInt(1), ThisUpdate: time.Now().Add(-2 * time.Hour), NextUpdate: time.Now().Add(-time.Hour), // old, but it counts
		RevokedCertificateEntries: []x509.RevocationListEntry{{SerialNumber: big.NewInt(66), RevocationTime: time.Now()}},
	}, listed.cert, caKey)
	if err != nil {
		t.Fatal(err)
	}
	crls := http.NewServeMux()
	crls.HandleFunc("/listed", func(w http.ResponseWriter, r *http.Request) { w.Write(list) })
	crlServer := httptest.NewServer(crls)
	defer crlServer.Close()
	realAddr := realTokenServer(t, []realCA{{plain.cert, ""}, {listed.cert, crlServer.URL + "/listed"}, {unready.cert, crlServer.URL + "/nothing"}})

	var mu sync.Mutex
	var cause string
	ours := httptest.NewServer(tokenServer(t, mintserver.Options{
		CAs: []mintserver.CA{
			{ID: 1, Certificate: plain.cert, Domains: realDomains},
			{ID: 2, Certificate: listed.cert, Domains: realDomains, CRL: func() ([]byte, error) { return list, nil }},
			{ID: 3, Certificate: unready.cert, Domains: realDomains, CRL: func() ([]byte, error) { return nil, nil }},
		},
		Signer:         tokenSigner(),
		ServiceVersion: "rehearsal/real",
		Report: func(o mintserver.Outcome) {
			mu.Lock()
			defer mu.Unlock()
			cause = o.Cause
		},
	}))
	defer ours.Close()

	good := func() *tokenpb.MachineTokenRequest {
		return &tokenpb.MachineTokenRequest{
			Certificate:        plain.issue(t, key.Public(), nil),
			SignatureAlgorithm: tokenpb.SignatureAlgorithm_SHA256_RSA_ALGO,
			IssuedAt:           timestamppb.Now(),
			TokenType:          tokenpb.MachineTokenType_LUCI_MACHINE_TOKEN,
		}
	}
	sign := func(ask *tokenpb.MachineTokenRequest) *tokenpb.MintMachineTokenRequest {
		serialized, err := proto.Marshal(ask)
		if err != nil {
			t.Fatal(err)
		}
		return &tokenpb.MintMachineTokenRequest{SerializedTokenRequest: serialized, Signature: signPKCS1(t, key, serialized)}
	}
	binary := func(req *tokenpb.MintMachineTokenRequest) []byte {
		body, err := proto.Marshal(req)
		if err != nil {
			t.Fatal(err)
		}
		return body
	}
	const jsonType, textType = "application/json", "application/prpc; encoding=text"

	var requests []tokenRequest
	// all adds a message in each encoding.
	all := func(name string, req *tokenpb.MintMachineTokenRequest) {
		asJSON, err := protojson.Marshal(req)
		if err != nil {
			t.Fatal(err)
		}
		asText, err := prototext.Marshal(req)
		if err != nil {
			t.Fatal(err)
		}
		requests = append(requests,
			tokenRequest{name: name + ", binary", body: binary(req)},
			tokenRequest{name: name + ", JSON", body: asJSON, headers: []string{"Content-Type", jsonType, "Accept", jsonType}},
			tokenRequest{name: name + ", text", body: asText, headers: []string{"Content-Type", textType, "Accept", textType}})
	}
	for name, change := range map[string]func(*tokenpb.MachineTokenRequest){
		"good":            func(*tokenpb.MachineTokenRequest) {},
		"with a CRL":      func(r *tokenpb.MachineTokenRequest) { r.Certificate = listed.issue(t, key.Public(), nil) },
		"no type":         func(r *tokenpb.MachineTokenRequest) { r.TokenType = 0 },
		"type 1":          func(r *tokenpb.MachineTokenRequest) { r.TokenType = 1 },
		"type 77":         func(r *tokenpb.MachineTokenRequest) { r.TokenType = 77 },
		"no time":         func(r *tokenpb.MachineTokenRequest) { r.IssuedAt = nil },
		"time zero":       func(r *tokenpb.MachineTokenRequest) { r.IssuedAt = timestamppb.New(time.Time{}) },
		"11 min behind":   func(r *tokenpb.MachineTokenRequest) { r.IssuedAt = timestamppb.New(time.Now().Add(-11 * time.Minute)) },
		"11 min ahead":    func(r *tokenpb.MachineTokenRequest) { r.IssuedAt = timestamppb.New(time.Now().Add(11 * time.Minute)) },
		"9 min behind":    func(r *tokenpb.MachineTokenRequest) { r.IssuedAt = timestamppb.New(time.Now().Add(-9 * time.Minute)) },
		"9 min ahead":     func(r *tokenpb.MachineTokenRequest) { r.IssuedAt = timestamppb.New(time.Now().Add(9 * time.Minute)) },
		"odd time":        func(r *tokenpb.MachineTokenRequest) { r.IssuedAt = &timestamppb.Timestamp{Seconds: 1 << 60, Nanos: -7} },
		"no certificate":  func(r *tokenpb.MachineTokenRequest) { r.Certificate = nil },
		"PEM certificate": func(r *tokenpb.MachineTokenRequest) { r.Certificate = block("CERTIFICATE", r.Certificate) },
		"chain":           func(r *tokenpb.MachineTokenRequest) { r.Certificate = slices.Concat(r.Certificate, plain.cert.Raw) },
		"no algorithm":    func(r *tokenpb.MachineTokenRequest) { r.SignatureAlgorithm = 0 },
		"algorithm 9":     func(r *tokenpb.MachineTokenRequest) { r.SignatureAlgorithm = 9 },
		"unknown CA":      func(r *tokenpb.MachineTokenRequest) { r.Certificate = stranger.issue(t, key.Public(), nil) },
		"impostor CA":     func(r *tokenpb.MachineTokenRequest) { r.Certificate = impostor.issue(t, key.Public(), nil) },
		"CRL not there":   func(r *tokenpb.MachineTokenRequest) { r.Certificate = unready.issue(t, key.Public(), nil) },
		"serial 0":        func(r *tokenpb.MachineTokenRequest) { r.Certificate = plain.zeroSerial(t, key.Public()) },
		"CRL and serial 0": func(r *tokenpb.MachineTokenRequest) {
			r.Certificate = listed.zeroSerial(t, key.Public())
		},
		"type, time and certificate": func(r *tokenpb.MachineTokenRequest) { r.TokenType, r.IssuedAt, r.Certificate = 0, nil, nil },
		"time and certificate":       func(r *tokenpb.MachineTokenRequest) { r.IssuedAt, r.Certificate = nil, nil },
		"certificate and algorithm":  func(r *tokenpb.MachineTokenRequest) { r.Certificate, r.SignatureAlgorithm = nil, 0 },
		"EC key": func(r *tokenpb.MachineTokenRequest) {
			ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			r.Certificate = plain.issue(t, ec.Public(), nil)
		},
	} {
		ask := good()
		change(ask)
		all(name, sign(ask))
	}
	for name, change := range map[string]func(*x509.Certificate){
		"expired":           func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) },
		"not yet":           func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) },
		"no CN":             func(c *x509.Certificate) { c.Subject.CommonName = "" },
		"no dot":            func(c *x509.Certificate) { c.Subject.CommonName = "joe" },
		"quote in the name": func(c *x509.Certificate) { c.Subject.CommonName = `j"oe` + "\u00e9\t" },
		"ends in a dot":     func(c *x509.Certificate) { c.Subject.CommonName = "joe." },
		"capitals":          func(c *x509.Certificate) { c.Subject.CommonName = "Joe.BOTS.golang.org" },
		"SAN continues CN": func(c *x509.Certificate) {
			c.Subject.CommonName, c.DNSNames = "joe", []string{"x.example", "JOE.bots.golang.org", "joe.other.example"}
		},
		"other SAN":        func(c *x509.Certificate) { c.DNSNames = []string{"else.bots.golang.org"} },
		"domain below":     func(c *x509.Certificate) { c.Subject.CommonName = "a.b.bots.golang.org" },
		"second domain":    func(c *x509.Certificate) { c.Subject.CommonName = "a.other.example" },
		"domain itself":    func(c *x509.Certificate) { c.Subject.CommonName = "bots.golang.org" },
		"longer domain":    func(c *x509.Certificate) { c.Subject.CommonName = "x.robots.golang.org" },
		"other domain":     func(c *x509.Certificate) { c.Subject.CommonName = "joe.example.org" },
		"forbidden domain": func(c *x509.Certificate) { c.Subject.CommonName = "joe.forbidden.example" },
		"large serial":     func(c *x509.Certificate) { c.SerialNumber.Lsh(big.NewInt(0xff), 120) },
		"CA certificate":   func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = true, true },
		"server usage":     func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} },
	} {
		ask := good()
		ask.Certificate = plain.issue(t, key.Public(), change)
		all(name, sign(ask))
	}
	revoked := good()
	revoked.Certificate = listed.issue(t, key.Public(), func(c *x509.Certificate) { c.SerialNumber.SetInt64(66) })
	all("revoked", sign(revoked))
	for name, forge := range map[string]func(*tokenpb.MintMachineTokenRequest){
		"no signature": func(r *tokenpb.MintMachineTokenRequest) { r.Signature = nil },
		"other key":    func(r *tokenpb.MintMachineTokenRequest) { r.Signature = signPKCS1(t, caKey, r.SerializedTokenRequest) },
		"signed is less": func(r *tokenpb.MintMachineTokenRequest) {
			r.SerializedTokenRequest = append(r.SerializedTokenRequest, 0x98, 6, 1)
		},
		"nothing":         func(r *tokenpb.MintMachineTokenRequest) { proto.Reset(r) },
		"signature alone": func(r *tokenpb.MintMachineTokenRequest) { r.SerializedTokenRequest = nil },
		"no message":      func(r *tokenpb.MintMachineTokenRequest) { r.SerializedTokenRequest = []byte("hello, gophers") },
		"half a message":  func(r *tokenpb.MintMachineTokenRequest) { r.SerializedTokenRequest = r.SerializedTokenRequest[:99] },
		"PSS": func(r *tokenpb.MintMachineTokenRequest) {
			sum := sha256.Sum256(r.SerializedTokenRequest)
			if r.Signature, err = rsa.SignPSS(rand.Reader, key, crypto.SHA256, sum[:], nil); err != nil {
				t.Fatal(err)
			}
		},
	} {
		req := sign(good())
		forge(req)
		all(name, req)
	}

	body := binary(sign(good()))
	var packed bytes.Buffer
	gz := gzip.NewWriter(&packed)
	gz.Write(body)
	gz.Close()
	for _, accept := range []string{"*/*", "application/*", "application/prpc", "application/grpc", "application/prpc; encoding=json", "application/json; charset=utf-8",
		"text/html", "text/html, application/json", "application/json, application/prpc", "application/prpc, application/json",
		"application/json; q=0.4, application/prpc; encoding=text; q=0.5, text/html", "application/json; q=0.5, */*; q=0.1", "application/json; q=much", ",", ";",
		"application/prpc; encoding=xml", "application/prpc; charset=x", "application/json;Q = 0.3 ;x, application/prpc;q=0.2", "application/json; q=-1", "application/json; q=0"} {
		requests = append(requests, tokenRequest{name: "Accept: " + accept, headers: []string{"Accept", accept}, body: body})
	}
	for _, contentType := range []string{"*/*", "application/*", "application/prpc", "application/grpc", "text/html", "application/prpc; encoding=xml",
		"application/prpc; charset=x", ";", "application/octet-stream", "application/prpc; encoding=binary; encoding=text"} {
		requests = append(requests, tokenRequest{name: "Content-Type: " + contentType, headers: []string{"Content-Type", contentType}, body: body})
	}
	for _, timeout := range []string{"59971976u", "60S", "1H", "60", "6", "S", "", "6x", "1.5S", "99999999999999999999S"} {
		requests = append(requests, tokenRequest{name: "timeout " + timeout, headers: []string{"X-Prpc-Grpc-Timeout", timeout}, body: body})
	}
	requests = append(requests,
		tokenRequest{name: "GET", method: "GET"},
		tokenRequest{name: "PUT", method: "PUT", body: body},
		tokenRequest{name: "nowhere", path: "/nowhere"},
		tokenRequest{name: "half a path", path: "/prpc/tokenserver.minter.TokenMinter"},
		tokenRequest{name: "path and more", path: mintserver.Path + "/more"},
		tokenRequest{name: "other service", path: "/prpc/no.Service/MintMachineToken", body: body},
		tokenRequest{name: "other method", path: "/prpc/tokenserver.minter.TokenMinter/Nothing", body: body},
		tokenRequest{name: "other service before Accept", path: "/prpc/no.Service/MintMachineToken", headers: []string{"Accept", "x/y"}},
		tokenRequest{name: "Accept before Content-Type", headers: []string{"Accept", "x/y", "Content-Type", "x/y"}},
		tokenRequest{name: "Accept before timeout", headers: []string{"Accept", "x/y", "X-Prpc-Grpc-Timeout", "x"}},
		tokenRequest{name: "timeout before Content-Type", headers: []string{"Content-Type", "x/y", "X-Prpc-Grpc-Timeout", "x"}},
		// One packed request is all: the pinned version then uses its reader
		// again in a way that spoils the next one.
		tokenRequest{name: "not packed", headers: []string{"Content-Encoding", "gzip"}, body: body},
		tokenRequest{name: "packed", headers: []string{"Content-Encoding", "gzip"}, body: packed.Bytes()},
		tokenRequest{name: "other packing", headers: []string{"Content-Encoding", "br"}, body: body},
		tokenRequest{name: "text as binary", body: []byte("hello, gophers")},
		tokenRequest{name: "binary as JSON", headers: []string{"Content-Type", jsonType}, body: body, loose: true},
		tokenRequest{name: "binary as text", headers: []string{"Content-Type", textType}, body: body, loose: true},
		tokenRequest{name: "empty as JSON", headers: []string{"Content-Type", jsonType}, loose: true},
		tokenRequest{name: "no object", headers: []string{"Content-Type", jsonType}, body: []byte("[]"), loose: true},
		tokenRequest{name: "wrong type in JSON", headers: []string{"Content-Type", jsonType}, body: []byte(`{"signature": 7}`), loose: true},
		tokenRequest{name: "an answer's prefix", headers: []string{"Content-Type", jsonType}, body: []byte(")]}'\n{}"), loose: true},
		tokenRequest{name: "other origin", headers: []string{"Origin", "https://example.org"}, body: body},
	)
	untrusted := 0
	for _, req := range requests {
		theirs := req.ask(t, realAddr)
		got := req.ask(t, ours.Listener.Addr().String())
		if got.Code == "UNTRUSTED_CERTIFICATE" {
			if got.Message != "invalid or untrusted certificate" {
				t.Errorf("%s: message %q", req.name, got.Message)
			}
			mu.Lock()
			got.Message = cause
			mu.Unlock()
			untrusted++
		}
		if diff := cmp.Diff(theirs, got); diff != "" {
			t.Errorf("%s: real and ours:\n%s", req.name, diff)
		}
	}
	t.Logf("%d requests, %d of untrusted certificates", len(requests), untrusted)
}
