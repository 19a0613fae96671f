package mintserver

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"gobuild/pkg/machinetoken/tokenpb"
)

// The keys that the tests share: making one takes long.
var (
	leafKey   = sync.OnceValue(newKey)
	caKey     = sync.OnceValue(newKey)
	serverKey = sync.OnceValue(newKey)
)

func newKey() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
}

const (
	fqdn    = "linux-riscv64-joe.bots.golang.org"
	account = "rehearsal@gobuild.iam.gserviceaccount.com"
)

// noon is when the tests are.
var noon = time.Date(2026, 11, 25, 12, 0, 0, 5e8, time.UTC)

// newCA returns the certificate of a CA with caKey.
func newCA(t testing.TB, name string) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage:  x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		NotBefore: noon.Add(-time.Hour), NotAfter: noon.Add(time.Hour), SubjectKeyId: []byte(name),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, caKey().Public(), caKey())
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// certificate returns one for a bot's key, issued by ca with caKey after
// change.
func certificate(t testing.TB, ca *x509.Certificate, change func(*x509.Certificate)) []byte {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(77), Subject: pkix.Name{CommonName: fqdn}, DNSNames: []string{fqdn},
		NotBefore: noon.Add(-time.Hour), NotAfter: noon.Add(time.Hour),
	}
	if change != nil {
		change(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca, &leafKey().PublicKey, caKey())
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// crl returns a list of revoked serial numbers.
func crl(t testing.TB, ca *x509.Certificate, serials ...int64) []byte {
	t.Helper()
	list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: noon.Add(-2 * time.Hour), NextUpdate: noon.Add(-time.Hour)}
	for _, serial := range serials {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: big.NewInt(serial), RevocationTime: noon.Add(-2 * time.Hour)})
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, ca, caKey())
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// The CAs of the tests' servers.
type world struct {
	plain, listed, unready, down *x509.Certificate
	outcomes                     []Outcome
}

var domains = []Domain{
	{Names: []string{"bots.golang.org", "other.example"}, Lifetime: time.Hour},
	{Names: []string{"forbidden.example"}},
}

// options returns those of a server that knows all CAs of w.
func (w *world) options(t testing.TB) Options {
	t.Helper()
	w.plain, w.listed = newCA(t, "Plain CA"), newCA(t, "Listed CA")
	w.unready, w.down = newCA(t, "Unready CA"), newCA(t, "Down CA")
	signer, err := NewSigner(account, serverKey())
	if err != nil {
		t.Fatal(err)
	}
	list := crl(t, w.listed, 66)
	return Options{
		CAs: []CA{
			{ID: 7, Certificate: w.plain, Domains: domains},
			{ID: 8, Certificate: w.listed, Domains: domains, CRL: func() ([]byte, error) { return list, nil }},
			{ID: 9, Certificate: w.unready, Domains: domains, CRL: func() ([]byte, error) { return nil, nil }},
			{ID: 10, Certificate: w.down, Domains: domains, CRL: func() ([]byte, error) { return nil, http.ErrServerClosed }},
		},
		Signer:         signer,
		ServiceVersion: "app/1",
		Now:            func() time.Time { return noon },
		Report:         func(o Outcome) { w.outcomes = append(w.outcomes, o) },
	}
}

func newServer(t testing.TB, opts Options) *Server {
	t.Helper()
	s, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// ask returns a good request with a certificate, before it is signed.
func ask(cert []byte) *tokenpb.MachineTokenRequest {
	return &tokenpb.MachineTokenRequest{
		Certificate:        cert,
		SignatureAlgorithm: tokenpb.SignatureAlgorithm_SHA256_RSA_ALGO,
		IssuedAt:           timestamppb.New(noon),
		TokenType:          tokenpb.MachineTokenType_LUCI_MACHINE_TOKEN,
	}
}

// sign signs a request with the bot's key.
func sign(t testing.TB, ask *tokenpb.MachineTokenRequest) *tokenpb.MintMachineTokenRequest {
	t.Helper()
	serialized, err := proto.Marshal(ask)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(serialized)
	signature, err := rsa.SignPKCS1v15(rand.Reader, leafKey(), crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return &tokenpb.MintMachineTokenRequest{SerializedTokenRequest: serialized, Signature: signature}
}

// post sends a body with headers, name and value in turn.
func post(h http.Handler, body []byte, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", Path, bytes.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// codec is an encoding as a client has it.
type codec struct {
	name, mediaType string
	marshal         func(proto.Message) ([]byte, error)
	unmarshal       func([]byte, proto.Message) error
}

var codecs = []codec{
	{"binary", "application/prpc; encoding=binary", proto.Marshal, proto.Unmarshal},
	{"json", "application/json", protojson.Marshal, func(text []byte, msg proto.Message) error {
		rest, ok := strings.CutPrefix(string(text), ")]}'\n")
		if !ok || !strings.HasSuffix(rest, "}\n") || !json.Valid([]byte(rest)) {
			return http.ErrNotSupported
		}
		return protojson.Unmarshal([]byte(rest), msg)
	}},
	{"text", "application/prpc; encoding=text", prototext.Marshal, prototext.Unmarshal},
}

// call sends a request and returns the answer, which must be one.
func (c codec) call(t testing.TB, h http.Handler, req *tokenpb.MintMachineTokenRequest) *tokenpb.MintMachineTokenResponse {
	t.Helper()
	body, err := c.marshal(req)
	if err != nil {
		t.Fatal(err)
	}
	w := post(h, body, "Content-Type", c.mediaType, "Accept", c.mediaType)
	if w.Code != 200 || w.Header().Get("X-Prpc-Grpc-Code") != "0" || w.Header().Get("Content-Type") != c.mediaType {
		t.Fatalf("status %d, header %v, %s", w.Code, w.Header(), w.Body)
	}
	resp := &tokenpb.MintMachineTokenResponse{}
	if err := c.unmarshal(w.Body.Bytes(), resp); err != nil {
		t.Fatalf("%v: %q", err, w.Body)
	}
	return resp
}

func ecKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
