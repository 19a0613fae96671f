package mintserver

import (
	"bytes"
	"compress/gzip"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"gobuild/pkg/machinetoken"
	"gobuild/pkg/machinetoken/tokenpb"
)

// The rows of section 4 that end in an answer.
func TestAnswers(t *testing.T) {
	var w world
	opts := w.options(t)
	s := newServer(t, opts)
	cert := func(change func(*x509.Certificate)) func(*tokenpb.MachineTokenRequest) {
		return func(ask *tokenpb.MachineTokenRequest) { ask.Certificate = certificate(t, w.plain, change) }
	}
	name := func(cn string, sans ...string) func(*tokenpb.MachineTokenRequest) {
		return cert(func(c *x509.Certificate) { c.Subject.CommonName, c.DNSNames = cn, sans })
	}
	by := func(ca *x509.Certificate, serial int64) func(*tokenpb.MachineTokenRequest) {
		return func(ask *tokenpb.MachineTokenRequest) {
			ask.Certificate = certificate(t, ca, func(c *x509.Certificate) { c.SerialNumber.SetInt64(serial) })
		}
	}
	issued := func(at time.Time) func(*tokenpb.MachineTokenRequest) {
		return func(ask *tokenpb.MachineTokenRequest) { ask.IssuedAt = timestamppb.New(at) }
	}
	resign := func(sign func(serialized []byte) []byte) func(*tokenpb.MintMachineTokenRequest) {
		return func(req *tokenpb.MintMachineTokenRequest) { req.Signature = sign(req.SerializedTokenRequest) }
	}
	stranger := newCA(t, "Stranger CA")
	const (
		badTime    = "issued_at timestamp is not within acceptable range, check your clock"
		badFormat  = "failed to parse the certificate (expecting x509 cert DER)"
		badSigning = "signature verification failed - crypto/rsa: verification error"
	)
	for _, tt := range []struct {
		name   string
		change func(*tokenpb.MachineTokenRequest)     // before it is signed
		forge  func(*tokenpb.MintMachineTokenRequest) // after that
		code   tokenpb.ErrorCode
		text   string
		cause  string
		fqdn   string // of the token
	}{
		{name: "good", fqdn: fqdn},
		{name: "with a CRL", change: by(w.listed, 77), fqdn: fqdn},
		{name: "no type", change: func(r *tokenpb.MachineTokenRequest) { r.TokenType = 0 }, code: 2, text: "token_type UNKNOWN_TYPE is not supported"},
		{name: "other type", change: func(r *tokenpb.MachineTokenRequest) { r.TokenType = 1 }, code: 2, text: "token_type 1 is not supported"},
		{name: "type before time", change: func(r *tokenpb.MachineTokenRequest) { r.TokenType, r.IssuedAt = 0, nil }, code: 2, text: "token_type UNKNOWN_TYPE is not supported"},

		{name: "no time", change: func(r *tokenpb.MachineTokenRequest) { r.IssuedAt = nil }, code: 3, text: badTime},
		{name: "time zero", change: issued(time.Time{}), code: 3, text: "issued_at is required"},
		{name: "10 minutes behind", change: issued(noon.Add(-10 * time.Minute)), fqdn: fqdn},
		{name: "10 minutes ahead", change: issued(noon.Add(10 * time.Minute)), fqdn: fqdn},
		{name: "more behind", change: issued(noon.Add(-10*time.Minute - 1)), code: 3, text: badTime},
		{name: "more ahead", change: issued(noon.Add(10*time.Minute + 1)), code: 3, text: badTime},
		{name: "time before certificate", change: func(r *tokenpb.MachineTokenRequest) { r.Certificate, r.IssuedAt = nil, nil }, code: 3, text: badTime},

		{name: "no certificate", change: func(r *tokenpb.MachineTokenRequest) { r.Certificate = nil }, code: 4, text: badFormat},
		{name: "certificate in PEM", change: func(r *tokenpb.MachineTokenRequest) {
			r.Certificate = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: r.Certificate})
		}, code: 4, text: badFormat},
		{name: "chain", change: func(r *tokenpb.MachineTokenRequest) {
			r.Certificate = slices.Concat(r.Certificate, w.plain.Raw)
		}, code: 4, text: badFormat},
		{name: "certificate before algorithm", change: func(r *tokenpb.MachineTokenRequest) { r.Certificate, r.SignatureAlgorithm = nil, 0 }, code: 4, text: badFormat},

		{name: "no algorithm", change: func(r *tokenpb.MachineTokenRequest) { r.SignatureAlgorithm = 0 }, code: 1, text: "signature_algorithm UNKNOWN_ALGO is not supported"},
		{name: "other algorithm", change: func(r *tokenpb.MachineTokenRequest) { r.SignatureAlgorithm = 9 }, code: 1, text: "signature_algorithm 9 is not supported"},
		{name: "algorithm before signature", change: func(r *tokenpb.MachineTokenRequest) { r.SignatureAlgorithm = 0 },
			forge: resign(func([]byte) []byte { return nil }), code: 1, text: "signature_algorithm UNKNOWN_ALGO is not supported"},

		{name: "no signature", forge: resign(func([]byte) []byte { return nil }), code: 5, text: badSigning},
		{name: "signature over more", forge: func(r *tokenpb.MintMachineTokenRequest) {
			r.SerializedTokenRequest = append(r.SerializedTokenRequest, 0x98, 0x06, 1) // a field that nobody knows
		}, code: 5, text: badSigning},
		{name: "PSS", forge: resign(func(serialized []byte) []byte {
			sum := sha256.Sum256(serialized)
			signature, err := rsa.SignPSS(rand.Reader, leafKey(), crypto.SHA256, sum[:], nil)
			if err != nil {
				t.Fatal(err)
			}
			return signature
		}), code: 5, text: badSigning},
		{name: "other key", forge: resign(func(serialized []byte) []byte {
			sum := sha256.Sum256(serialized)
			signature, err := rsa.SignPKCS1v15(rand.Reader, caKey(), crypto.SHA256, sum[:])
			if err != nil {
				t.Fatal(err)
			}
			return signature
		}), code: 5, text: badSigning},
		{name: "SHA-512", forge: resign(func(serialized []byte) []byte {
			sum := sha512.Sum512(serialized)
			signature, err := rsa.SignPKCS1v15(rand.Reader, leafKey(), crypto.SHA512, sum[:])
			if err != nil {
				t.Fatal(err)
			}
			return signature
		}), code: 5, text: badSigning},
		{name: "EC key", change: func(r *tokenpb.MachineTokenRequest) {
			template := &x509.Certificate{SerialNumber: big.NewInt(5), NotBefore: noon, NotAfter: noon.Add(time.Hour)}
			der, err := x509.CreateCertificate(rand.Reader, template, w.plain, ecKey(t).Public(), caKey())
			if err != nil {
				t.Fatal(err)
			}
			r.Certificate = der
		}, code: 5, text: "signature verification failed - x509: signature algorithm specifies an RSA public key, but have public key of type *ecdsa.PublicKey"},
		{name: "signature before trust", change: by(stranger, 5), forge: resign(func([]byte) []byte { return nil }), code: 5, text: badSigning},

		{name: "unknown CA", change: by(stranger, 5), code: 6, cause: `no such CA "Stranger CA"`},
		{name: "expired", change: cert(func(c *x509.Certificate) { c.NotAfter = noon.Add(-time.Second) }), code: 6, cause: "certificate has expired"},
		{name: "last second", change: cert(func(c *x509.Certificate) { c.NotAfter = noon.Add(500 * time.Millisecond) }), fqdn: fqdn},
		{name: "expired just now", change: cert(func(c *x509.Certificate) { c.NotAfter = noon }), code: 6, cause: "certificate has expired"},
		{name: "not yet", change: cert(func(c *x509.Certificate) { c.NotBefore = noon.Add(time.Second) }), code: 6, cause: "certificate has expired"},
		{name: "other CA of the same name", change: func(r *tokenpb.MachineTokenRequest) {
			other := newKey()
			impostor := *newCA(t, "Plain CA")
			impostor.PublicKey = &other.PublicKey
			template := &x509.Certificate{SerialNumber: big.NewInt(5), NotBefore: noon, NotAfter: noon.Add(time.Hour)}
			der, err := x509.CreateCertificate(rand.Reader, template, &impostor, &leafKey().PublicKey, other)
			if err != nil {
				t.Fatal(err)
			}
			r.Certificate = der
		}, code: 6, cause: "crypto/rsa: verification error"},
		{name: "revoked", change: by(w.listed, 66), code: 6, cause: "certificate with SN 66 has been revoked"},
		{name: "CRL not there", change: by(w.unready, 5), code: 6, cause: `CRL of CA "Unready CA" is not ready yet`},
		{name: "trust before name", change: func(r *tokenpb.MachineTokenRequest) {
			r.Certificate = certificate(t, stranger, func(c *x509.Certificate) { c.Subject.CommonName = "" })
		}, code: 6, cause: `no such CA "Stranger CA"`},

		{name: "capitals", change: name("Linux-RISCV64-Joe.Bots.Golang.Org"), fqdn: fqdn},
		{name: "CN and another SAN", change: name(fqdn, "else.bots.golang.org"), fqdn: fqdn},
		{name: "SAN continues CN", change: name("linux-riscv64-joe", "x.example", "LINUX-riscv64-joe.bots.golang.org", "linux-riscv64-joe.other.example"), fqdn: fqdn},
		{name: "SAN does not continue CN", change: name("linux-riscv64", fqdn), code: 7, text: `not a valid FQDN "linux-riscv64"`},
		{name: "no CN", change: name("", fqdn), code: 7, text: "unsupported cert, Subject CN field is required"},
		{name: "no dot", change: name("joe"), code: 7, text: `not a valid FQDN "joe"`},
		{name: "domain below", change: name("a.b.bots.golang.org"), fqdn: "a.b.bots.golang.org"},
		{name: "second domain", change: name("a.other.example"), fqdn: "a.other.example"},
		{name: "domain itself", change: name("bots.golang.org"), code: 7, text: `the domain "golang.org" is not listed in the config`},
		{name: "domain with a longer name", change: name("x.robots.golang.org"), code: 7, text: `the domain "robots.golang.org" is not listed in the config`},
		{name: "other domain", change: name("joe.example.org"), code: 7, text: `the domain "example.org" is not listed in the config`},
		{name: "forbidden domain", change: name("joe.forbidden.example"), code: 7, text: `machine tokens for machines in domain "forbidden.example" are not allowed`},
		{name: "domain before serial", change: func(r *tokenpb.MachineTokenRequest) {
			r.Certificate = zeroSerial(t, w.plain, "joe.example.org")
		}, code: 7, text: `the domain "example.org" is not listed in the config`},
		{name: "serial 0", change: func(r *tokenpb.MachineTokenRequest) { r.Certificate = zeroSerial(t, w.plain, fqdn) },
			code: 7, text: "invalid certificate serial number: 0"},
	} {
		ask := ask(certificate(t, w.plain, nil))
		if tt.change != nil {
			tt.change(ask)
		}
		req := sign(t, ask)
		if tt.forge != nil {
			tt.forge(req)
		}
		for _, codec := range codecs {
			t.Run(tt.name+"/"+codec.name, func(t *testing.T) {
				w.outcomes = nil
				resp := codec.call(t, s, req)
				want, cause := tt.text, tt.text
				if tt.code == tokenpb.ErrorCode_UNTRUSTED_CERTIFICATE {
					want, cause = "invalid or untrusted certificate", tt.cause
				}
				if resp.ErrorCode != tt.code || resp.ErrorMessage != want || resp.ServiceVersion != "app/1" {
					t.Fatalf("got %v, want %v %q", resp, tt.code, want)
				}
				if len(w.outcomes) != 1 || w.outcomes[0].Cause != cause || w.outcomes[0].Status != 200 ||
					w.outcomes[0].Code != tt.code || w.outcomes[0].Message != want {
					t.Errorf("reported %+v, want the cause %q", w.outcomes, cause)
				}
				if tt.code != 0 {
					if resp.TokenResponse != nil {
						t.Errorf("a token beside an error: %v", resp)
					}
					return
				}
				checkToken(t, opts, resp, tt.fqdn)
			})
		}
	}
}

// zeroSerial returns a certificate that crypto/x509 reads but does not make.
func zeroSerial(t *testing.T, ca *x509.Certificate, name string) []byte {
	t.Helper()
	der := certificate(t, ca, func(c *x509.Certificate) { c.SerialNumber.SetInt64(0x5a); c.Subject.CommonName = name })
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	tbs := bytes.Replace(slices.Clone(cert.RawTBSCertificate), []byte{2, 1, 0x5a}, []byte{2, 1, 0}, 1)
	sum := sha256.Sum256(tbs)
	signature, err := rsa.SignPKCS1v15(rand.Reader, caKey(), crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	der = bytes.Replace(der, cert.RawTBSCertificate, tbs, 1)
	copy(der[len(der)-len(signature):], signature)
	return der
}

// checkToken checks a token with what is known of section 5 alone.
func checkToken(t *testing.T, opts Options, resp *tokenpb.MintMachineTokenResponse, fqdn string) {
	t.Helper()
	if resp.TokenResponse.GetServiceVersion() != "app/1" {
		t.Errorf("service version of the token response in %v", resp)
	}
	got := resp.TokenResponse.GetLuciMachineToken()
	if want := noon.Unix() + 3600; got.GetExpiry().GetSeconds() != want || got.GetExpiry().GetNanos() != 0 {
		t.Errorf("expiry %v, want %d", got.GetExpiry(), want)
	}
	body, err := machinetoken.ParseToken(got.GetMachineToken())
	want := machinetoken.Body{FQDN: fqdn, IssuedBy: account, Issued: noon.Truncate(time.Second).Local(), Lifetime: time.Hour}
	if err != nil || body != want {
		t.Errorf("token says %+v, %v, want %+v", body, err, want)
	}
	verifier := Verifier{Issuers: map[string]Keys{account: opts.Signer.Keys()}, Now: opts.Now}
	bot, err := verifier.Verify(got.GetMachineToken())
	if err != nil || bot.Identity() != "bot:"+fqdn || bot.CA < 7 || bot.CA > 8 || bot.Serial.Int64() != 77 {
		t.Errorf("token is for %+v, %v", bot, err)
	}
}

// The errors of the transport, of sections 2 and 4.
func TestProtocolErrors(t *testing.T) {
	var w world
	opts := w.options(t)
	s := newServer(t, opts)
	good, err := proto.Marshal(sign(t, ask(certificate(t, w.plain, nil))))
	if err != nil {
		t.Fatal(err)
	}
	of := func(req *tokenpb.MintMachineTokenRequest) []byte {
		body, err := proto.Marshal(req)
		if err != nil {
			t.Fatal(err)
		}
		return body
	}
	var packed bytes.Buffer
	gz := gzip.NewWriter(&packed)
	gz.Write(good)
	gz.Close()
	var bomb bytes.Buffer
	gz = gzip.NewWriter(&bomb)
	gz.Write(make([]byte, 64<<20))
	gz.Close()
	const (
		notAcceptable = `bad Accept header: specified media types are not not supported. Supported types: "application/prpc; encoding=binary", "application/json", "application/prpc; encoding=text", "application/json".`
		jsonType      = "application/json"
		binaryType    = "application/prpc; encoding=binary"
		textType      = "application/prpc; encoding=text"
	)
	for _, tt := range []struct {
		name    string
		headers []string
		body    []byte
		status  int
		code    string
		text    string // begins so
		kind    string // of an answer
	}{
		{name: "no headers", body: good, status: 200, code: "0", kind: binaryType},
		{name: "bare", headers: []string{"Content-Type", "application/prpc", "Accept", "application/prpc"}, body: good, status: 200, code: "0", kind: binaryType},
		{name: "anything", headers: []string{"Content-Type", "*/*", "Accept", "*/*"}, body: good, status: 200, code: "0", kind: binaryType},
		{name: "any application", headers: []string{"Content-Type", "application/*", "Accept", "application/*"}, body: good, status: 200, code: "0", kind: binaryType},
		{name: "grpc", headers: []string{"Content-Type", "application/grpc", "Accept", "application/grpc"}, body: good, status: 200, code: "0", kind: binaryType},
		{name: "old json", headers: []string{"Accept", "application/prpc; encoding=json"}, body: good, status: 200, code: "0", kind: jsonType},
		{name: "json with a charset", headers: []string{"Accept", "application/json; charset=utf-8"}, body: good, status: 200, code: "0", kind: jsonType},
		{name: "the better", headers: []string{"Accept", "application/json; q=0.4, application/prpc; encoding=text; q=0.5, text/html"}, body: good, status: 200, code: "0", kind: textType},
		{name: "alike", headers: []string{"Accept", "application/prpc; encoding=text, application/json"}, body: good, status: 200, code: "0", kind: jsonType},
		{name: "packed", headers: []string{"Content-Encoding", "gzip"}, body: packed.Bytes(), status: 200, code: "0", kind: binaryType},
		{name: "unknown JSON field", headers: []string{"Content-Type", jsonType}, body: []byte(`{"mine": 1}`), status: 400, code: "3", text: "empty request\n"},

		{name: "bad Content-Type", headers: []string{"Content-Type", "text/html"}, body: good, status: 415, code: "3", text: `bad Content-Type header: unknown content type: "text/html"` + "\n"},
		{name: "odd Content-Type", headers: []string{"Content-Type", "application/prpc; charset=x"}, body: good, status: 415, code: "3", text: `bad Content-Type header: unexpected parameter "charset"` + "\n"},
		{name: "unknown encoding", headers: []string{"Content-Type", "application/prpc; encoding=xml"}, body: good, status: 415, code: "3", text: `bad Content-Type header: invalid encoding parameter: "xml". Valid values: "binary", "json", "text"` + "\n"},
		{name: "broken Content-Type", headers: []string{"Content-Type", ";"}, body: good, status: 415, code: "3", text: "bad Content-Type header: mime: "},
		{name: "bad Accept", headers: []string{"Accept", "text/html"}, body: good, status: 406, code: "3", text: notAcceptable + "\n"},
		{name: "broken q", headers: []string{"Accept", "application/json; q=much"}, body: good, status: 400, code: "3", text: "bad Accept header: q parameter: expected a floating-point number\n"},
		{name: "Accept before Content-Type", headers: []string{"Accept", "x/y", "Content-Type", "x/y"}, body: good, status: 406, code: "3", text: notAcceptable + "\n"},
		{name: "bad timeout", headers: []string{"X-Prpc-Grpc-Timeout", "60"}, body: good, status: 400, code: "3", text: `bad request headers: "X-Prpc-Grpc-Timeout" header: unit is not recognized: "60"` + "\n"},
		{name: "short timeout", headers: []string{"X-Prpc-Grpc-Timeout", "6"}, body: good, status: 400, code: "3", text: `bad request headers: "X-Prpc-Grpc-Timeout" header: too short: "6"` + "\n"},
		{name: "timeout", headers: []string{"X-Prpc-Grpc-Timeout", "59971976u"}, body: good, status: 200, code: "0", kind: binaryType},
		{name: "no room", headers: []string{"X-Prpc-Max-Response-Size", "0"}, body: good, status: 400, code: "3", text: `bad request headers: "X-Prpc-Max-Response-Size" header: `},
		{name: "no number", headers: []string{"X-Prpc-Max-Response-Size", "x"}, body: good, status: 400, code: "3", text: `bad request headers: "X-Prpc-Max-Response-Size" header: `},
		{name: "room", headers: []string{"X-Prpc-Max-Response-Size", "33521664"}, body: good, status: 200, code: "0", kind: binaryType},
		{name: "little room", headers: []string{"X-Prpc-Max-Response-Size", "99"}, body: good, status: 503, code: "14", text: "the response size "},

		{name: "no message", body: []byte("hello, gophers"), status: 400, code: "3", text: "could not decode body: proto:"},
		{name: "no JSON", headers: []string{"Content-Type", jsonType}, body: good, status: 400, code: "3", text: "could not decode body: "},
		{name: "JSON answer's beginning", headers: []string{"Content-Type", jsonType}, body: []byte(")]}'\n{}"), status: 400, code: "3", text: "could not decode body: "},
		{name: "no text", headers: []string{"Content-Type", textType}, body: good, status: 400, code: "3", text: "could not decode body: "},
		{name: "not packed", headers: []string{"Content-Encoding", "gzip"}, body: good, status: 400, code: "3", text: "failed to start decompressing gzip request body: "},
		{name: "badly packed", headers: []string{"Content-Encoding", "gzip"}, body: packed.Bytes()[:50], status: 499, code: "1", text: "could not read or decompress request body: unexpected EOF\n"},
		{name: "bomb", headers: []string{"Content-Encoding", "gzip"}, body: bomb.Bytes(), status: 400, code: "3", text: "could not read or decompress request body: it is larger than 1048576 bytes"},

		{name: "empty", status: 400, code: "3", text: "empty request\n"},
		{name: "empty JSON", headers: []string{"Content-Type", jsonType}, body: []byte("{}"), status: 400, code: "3", text: "empty request\n"},
		{name: "signature alone", body: of(&tokenpb.MintMachineTokenRequest{Signature: []byte("x")}), status: 400, code: "3", text: "empty request\n"},
		{name: "no request in it", body: of(&tokenpb.MintMachineTokenRequest{SerializedTokenRequest: []byte("hello, gophers")}), status: 400, code: "3", text: "failed to unmarshal TokenRequest - proto:"},
		{name: "CRL lost", body: of(sign(t, ask(certificate(t, w.down, nil)))), status: 500, code: "13", text: "Internal server error\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w.outcomes = nil
			got := post(s, tt.body, tt.headers...)
			if got.Code != tt.status || got.Header().Get("X-Prpc-Grpc-Code") != tt.code {
				t.Fatalf("status %d, code %s, %q", got.Code, got.Header().Get("X-Prpc-Grpc-Code"), got.Body)
			}
			if text := strings.ReplaceAll(got.Body.String(), "\u00a0", " "); !strings.HasPrefix(text, tt.text) {
				t.Errorf("text %q, want %q", text, tt.text)
			}
			kind := tt.kind
			if kind == "" {
				kind = "text/plain; charset=utf-8"
			}
			if got.Header().Get("Content-Type") != kind || got.Header().Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("header %v, want the type %s", got.Header(), kind)
			}
			if date, ok := got.Header()["Date"]; !ok || date != nil {
				t.Errorf("date %q, want none", date)
			}
			if len(w.outcomes) != 1 || w.outcomes[0].Status != tt.status {
				t.Errorf("reported %+v", w.outcomes)
			}
			if tt.name == "CRL lost" && !strings.Contains(w.outcomes[0].Cause, http.ErrServerClosed.Error()) {
				t.Errorf("reported %+v, want the cause", w.outcomes)
			}
		})
	}
}

func TestRoutes(t *testing.T) {
	var w world
	s := newServer(t, w.options(t))
	for _, tt := range []struct {
		method, path string
		status       int
		code, text   string
	}{
		{"GET", Path, 405, "", "Method Not Allowed\n"},
		{"POST", "/nowhere", 404, "", "404 page not found\n"},
		{"POST", "/prpc/" + service, 404, "", "404 page not found\n"},
		{"POST", "/prpc/no.Service/" + method, 501, "12", "API method not implemented by the server\n"},
		{"POST", "/prpc/" + service + "/Nothing", 501, "12", "API method not implemented by the server\n"},
	} {
		rec := httptest.NewRecorder()
		s.ServeHTTP(rec, httptest.NewRequest(tt.method, tt.path, nil))
		if rec.Code != tt.status || rec.Header().Get("X-Prpc-Grpc-Code") != tt.code || rec.Body.String() != tt.text {
			t.Errorf("%s %s: status %d, header %v, %q", tt.method, tt.path, rec.Code, rec.Header(), rec.Body)
		}
	}
}

func TestDate(t *testing.T) {
	var w world
	opts := w.options(t)
	opts.Date = true
	if got := post(newServer(t, opts), nil).Header().Get("Date"); got != "Wed, 25 Nov 2026 12:00:00 GMT" {
		t.Errorf("date %q", got)
	}
}

func TestTooBig(t *testing.T) {
	var w world
	s := newServer(t, w.options(t))
	body, err := proto.Marshal(sign(t, ask(certificate(t, w.plain, nil))))
	if err != nil {
		t.Fatal(err)
	}
	for kind, want := range map[string]string{
		"application/json":                `{"@type":"type.googleapis.com/luci.prpc.ErrorDetails","responseTooBig":{"responseSize":"`,
		"application/prpc; encoding=text": "[type.googleapis.com/luci.prpc.ErrorDetails]: {response_too_big: {response_size: ",
		"":                                "",
	} {
		got := post(s, body, "Accept", kind, "X-Prpc-Max-Response-Size", "99")
		details, err := base64.StdEncoding.DecodeString(got.Header().Get("X-Prpc-Status-Details-Bin"))
		if err != nil || !strings.HasPrefix(string(details), want) {
			t.Errorf("%s: details %q, %v", kind, details, err)
		}
		if kind != "" {
			continue
		}
		var detail anypb.Any
		if err := proto.Unmarshal(details, &detail); err != nil || detail.TypeUrl != "type.googleapis.com/luci.prpc.ErrorDetails" {
			t.Fatalf("details %q, %v", details, err)
		}
		inner, n := protowire.ConsumeBytes(detail.Value[1:])
		if n < 0 || detail.Value[0] != 1<<3|2 || !bytes.HasSuffix(inner, []byte{2 << 3, 99}) {
			t.Errorf("details %q", detail.Value)
		}
	}
}

func TestFaults(t *testing.T) {
	var w world
	opts := w.options(t)
	var refuse error
	opts.Intercept = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("Break") == "" {
			return false
		}
		http.Error(w, "proxy is down", http.StatusBadGateway)
		return true
	}
	opts.Alter = func(resp *tokenpb.MintMachineTokenResponse) error {
		resp.TokenResponse = nil
		resp.ErrorCode, resp.ErrorMessage = tokenpb.ErrorCode_MACHINE_TOKEN_MINTING_ERROR, "no ink"
		return refuse
	}
	s := newServer(t, opts)
	req := sign(t, ask(certificate(t, w.plain, nil)))
	for _, codec := range codecs {
		resp := codec.call(t, s, req)
		if resp.ErrorCode != 8 || resp.ErrorMessage != "no ink" || resp.TokenResponse != nil {
			t.Errorf("%s: got %v", codec.name, resp)
		}
	}
	body, err := proto.Marshal(req)
	if err != nil {
		t.Fatal(err)
	}
	if got := post(s, body, "Break", "1"); got.Code != 502 || got.Header().Get("X-Prpc-Grpc-Code") != "" {
		t.Errorf("status %d, header %v", got.Code, got.Header())
	}
	for _, tt := range []struct {
		err    error
		status int
		code   string
		text   string
	}{
		{&Error{Code: 7, Text: "no"}, 403, "7", "no\n"},
		{&Error{Code: 16, Text: "who?"}, 401, "16", "who?\n"},
		{&Error{Code: 8, Text: "slow down"}, 429, "8", "slow down\n"},
		{&Error{Code: 14, Text: "secret"}, 503, "14", "Service unavailable\n"},
		{&Error{Code: 4}, 504, "4", "Request deadline exceeded\n"},
		{&Error{Code: 99, Text: "secret"}, 500, "99", "Server error\n"},
		{errors.New("secret"), 500, "13", "Internal server error\n"},
	} {
		refuse = tt.err
		if got := post(s, body); got.Code != tt.status || got.Header().Get("X-Prpc-Grpc-Code") != tt.code || got.Body.String() != tt.text {
			t.Errorf("%v: status %d, header %v, %q", tt.err, got.Code, got.Header(), got.Body)
		}
	}
}

// What a token server does not take as its configuration (section 4).
func TestNew(t *testing.T) {
	signer, err := NewSigner(account, serverKey())
	if err != nil {
		t.Fatal(err)
	}
	a, b := newCA(t, "A"), newCA(t, "B")
	leaf, err := x509.ParseCertificate(certificate(t, a, nil))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		opts Options
		want string
	}{
		{Options{Signer: signer}, ""},
		{Options{Signer: signer, CAs: []CA{{ID: 1, Certificate: a}, {ID: 2, Certificate: b}}}, ""},
		{Options{}, "no signer"},
		{Options{Signer: signer, CAs: []CA{{ID: 1}}}, "has no certificate"},
		{Options{Signer: signer, CAs: []CA{{ID: 1, Certificate: leaf}}}, "none of a CA"},
		{Options{Signer: signer, CAs: []CA{{ID: 1, Certificate: newCA(t, "")}}}, "none of a CA with a name"},
		{Options{Signer: signer, CAs: []CA{{ID: 1, Certificate: a}, {ID: 2, Certificate: a}}}, `two CAs "A"`},
		{Options{Signer: signer, CAs: []CA{{ID: 1, Certificate: a}, {ID: 1, Certificate: b}}}, "two CAs with the id 1"},
	} {
		switch _, err := New(tt.opts); {
		case tt.want == "" && err != nil:
			t.Error(err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("error %v, want one with %q", err, tt.want)
		}
	}
}

// A CRL that is not the CA's own counts as none.
func TestForeignCRL(t *testing.T) {
	var w world
	opts := w.options(t)
	opts.CAs[1].CRL = func() ([]byte, error) { return crl(t, w.listed), nil }
	foreign := *w.listed
	foreign.PublicKey = &serverKey().PublicKey
	list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: noon, NextUpdate: noon}
	der, err := x509.CreateRevocationList(rand.Reader, list, &foreign, serverKey())
	if err != nil {
		t.Fatal(err)
	}
	req := sign(t, ask(certificate(t, w.listed, nil)))
	if resp := codecs[0].call(t, newServer(t, opts), req); resp.ErrorCode != 0 {
		t.Errorf("got %v", resp)
	}
	opts.CAs[1].CRL = func() ([]byte, error) { return der, nil }
	if resp := codecs[0].call(t, newServer(t, opts), req); resp.ErrorCode != tokenpb.ErrorCode_UNTRUSTED_CERTIFICATE {
		t.Errorf("got %v", resp)
	}
}

// Whatever a stranger sends, the server answers with a code, and with a token
// only for what the bot's key has signed.
func FuzzServer(f *testing.F) {
	var w world
	opts := w.options(f)
	opts.Report = nil
	s := newServer(f, opts)
	req := sign(f, ask(certificate(f, w.plain, nil)))
	for i, codec := range codecs {
		body, err := codec.marshal(req)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body, byte(i), codec.mediaType)
		f.Add(body[:len(body)/2], byte(i), "application/json; q=0.5, */*; q=1")
	}
	f.Add([]byte(`{"serializedTokenRequest": "EAEaBggBEAEgAg=="}`), byte(1), "")
	f.Fuzz(func(t *testing.T, body []byte, kind byte, accept string) {
		codec := codecs[int(kind)%len(codecs)]
		got := post(s, body, "Content-Type", codec.mediaType, "Accept", accept)
		switch code := got.Header().Get("X-Prpc-Grpc-Code"); {
		case code == "0" && got.Code == 200, code == "3" && got.Code >= 400 && got.Code < 500:
		default:
			t.Fatalf("status %d, code %q, %q", got.Code, code, got.Body)
		}
		if got.Code != 200 || got.Header().Get("Content-Type") != codecs[0].mediaType {
			return
		}
		var resp tokenpb.MintMachineTokenResponse
		if err := proto.Unmarshal(got.Body.Bytes(), &resp); err != nil {
			t.Fatal(err)
		}
		if resp.ErrorCode == 0 {
			sent := &tokenpb.MintMachineTokenRequest{}
			if err := readMessage(httptest.NewRequest("POST", Path, bytes.NewReader(body)), sent); err == nil &&
				!bytes.Equal(sent.SerializedTokenRequest, req.SerializedTokenRequest) && codec.name == "binary" {
				t.Fatal("a token for what nobody signed")
			}
		}
	})
}
