package botcert

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"
)

// Each certificate fails in the one thing that it has wrong, with the token
// server's answer.
func TestCheckCertificate(t *testing.T) {
	ca := testCA(t, otherKey(), CAOptions{})
	for _, tt := range []struct {
		name   string
		change func(c *x509.Certificate)
		key    crypto.PublicKey
		self   bool
		host   string // empty means testHost
		what   string // of the finding that is not ok; empty means all are
		state  string
		hint   string
	}{
		{name: "right"},
		{name: "short CN with the full name beside", change: func(c *x509.Certificate) {
			c.Subject.CommonName = testHost
			c.DNSNames = []string{"x.org", FQDN(testHost + "x"), strings.ToUpper(FQDN(testHost))}
		}},
		{name: "capitals in CN", change: func(c *x509.Certificate) { c.Subject.CommonName = strings.ToUpper(FQDN(testHost)) }},
		{name: "subdomain", host: "a.b", change: func(c *x509.Certificate) { c.Subject.CommonName = FQDN("a.b") }},
		{name: "expired", change: func(c *x509.Certificate) { c.NotAfter = now.Add(-time.Second) }, what: "valid", state: Fail, hint: "UNTRUSTED_CERTIFICATE (6)"},
		{name: "not yet", change: func(c *x509.Certificate) { c.NotBefore = now.Add(time.Second) }, what: "valid", state: Fail, hint: "UNTRUSTED_CERTIFICATE (6): invalid or untrusted certificate; is the clock"},
		{name: "59 days left", change: func(c *x509.Certificate) { c.NotAfter = now.Add(60*day - time.Second) }, what: "valid", state: Warn, hint: "--reuse-key"},
		{name: "60 days left", change: func(c *x509.Certificate) { c.NotAfter = now.Add(60 * day) }},
		{name: "self-signed", self: true, what: "issuer", state: Fail, hint: "signed by itself"},
		{name: "of a CA", change: func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = true, true }, what: "issuer", state: Fail, hint: "a CA's certificate"},
		{name: "no CN", change: func(c *x509.Certificate) { c.Subject.CommonName = "" }, what: "name", state: Fail, hint: "BAD_TOKEN_ARGUMENTS (7): unsupported cert, Subject CN field is required"},
		{name: "no dot", change: func(c *x509.Certificate) { c.Subject.CommonName, c.DNSNames = "Host", nil }, what: "name", state: Fail, hint: `BAD_TOKEN_ARGUMENTS (7): not a valid FQDN "host"`},
		{name: "domain itself", change: func(c *x509.Certificate) { c.Subject.CommonName = Domain }, what: "name", state: Fail, hint: `the domain "golang.org" is not listed`},
		{name: "other domain", change: func(c *x509.Certificate) { c.Subject.CommonName = testHost + ".example.com" }, what: "name", state: Fail, hint: `the domain "example.com" is not listed in the config`},
		{name: "domain's look-alike", change: func(c *x509.Certificate) { c.Subject.CommonName = testHost + ".xbots.golang.org" }, what: "name", state: Fail, hint: "is not listed"},
		{name: "other host", change: func(c *x509.Certificate) { c.Subject.CommonName = FQDN("linux-amd64-gopher") }, what: "name", state: Fail, hint: `403: the caller "bot:linux-amd64-gopher.bots.golang.org"`},
		{name: "number", host: testHost + "--01", change: func(c *x509.Certificate) { c.Subject.CommonName = FQDN(testHost + "--01") }, what: "name", state: Fail, hint: "no bot can use"},
		{name: "EC", key: ecKey().Public(), what: "key", state: Fail, hint: "UNSUPPORTED_SIGNATURE (1), or BAD_SIGNATURE (5)"},
		{name: "small", key: smallKey().Public(), what: "key", state: Warn, hint: "can be broken"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			template := &x509.Certificate{
				SerialNumber: big.NewInt(5), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(3650 * day),
				Subject:  pkix.Name{Organization: []string{"Google"}, CommonName: FQDN(testHost)},
				DNSNames: []string{FQDN(testHost)},
			}
			if tt.change != nil {
				tt.change(template)
			}
			parent, key := ca.Certificate, ca.key
			if tt.key == nil {
				tt.key = testKey().Public()
			}
			if tt.self {
				parent, key = template, testKey()
			}
			der, err := x509.CreateCertificate(rand.Reader, template, parent, tt.key, key)
			if err != nil {
				t.Fatal(err)
			}
			cert, err := x509.ParseCertificate(der)
			if err != nil {
				t.Fatal(err)
			}
			if tt.host == "" {
				tt.host = testHost
			}
			findings := CheckCertificate(cert, tt.host, now)
			if len(findings) != 5 {
				t.Errorf("%d findings", len(findings))
			}
			for _, f := range findings {
				switch {
				case f.What != tt.what:
					if f.State != OK || f.Hint != "" {
						t.Errorf("also: %+v", f)
					}
				case f.State != tt.state || !strings.Contains(f.Hint, tt.hint) || f.Wanted == "":
					t.Errorf("%+v; want %s with %q", f, tt.state, tt.hint)
				}
			}
		})
	}
}

func TestCheckCertificateOddIssuers(t *testing.T) {
	cert := &x509.Certificate{SerialNumber: big.NewInt(0), Subject: pkix.Name{CommonName: FQDN(testHost)}, RawIssuer: []byte("i"), RawSubject: []byte("s"),
		NotBefore: now, NotAfter: now.Add(365 * day), PublicKey: testKey().Public()}
	got := map[string]Finding{}
	for _, f := range CheckCertificate(cert, testHost, now) {
		got[f.What] = f
	}
	if f := got["serial"]; f.State != Fail || !strings.Contains(f.Hint, "invalid certificate serial number: 0") {
		t.Errorf("serial number 0: %+v", f)
	}
	if f := got["issuer"]; f.State != Fail || f.Found != "no CN" {
		t.Errorf("issuer without CN: %+v", f)
	}
}

// Of all that is wrong with a certificate, the server tells the first, in the
// order of its checks.
func TestServerFindings(t *testing.T) {
	ca, twin := testCA(t, otherKey(), CAOptions{}), testCA(t, testKey(), CAOptions{})
	template := &x509.Certificate{SerialNumber: big.NewInt(5), NotBefore: now.Add(-day), NotAfter: now.Add(-time.Hour), Subject: pkix.Name{CommonName: "lab7.example.com"}}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.Certificate, ecKey().Public(), ca.key)
	if err != nil {
		t.Fatal(err)
	}
	reports, err := Inspect([]string{write(t, t.TempDir(), "cert", certPEM(der))}, Inspection{CA: twin.dir, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range reports[0].Findings {
		if f.State == Fail {
			answer, _, _ := strings.Cut(f.Hint, ")")
			got = append(got, f.What+": "+answer)
		}
	}
	want := []string{
		"key: the token server would answer UNSUPPORTED_SIGNATURE (1",
		"valid: with all above mended, the token server would answer UNTRUSTED_CERTIFICATE (6",
		"CA: with all above mended, the token server would answer UNTRUSTED_CERTIFICATE (6",
		"name: with all above mended, the token server would answer BAD_TOKEN_ARGUMENTS (7",
	}
	if !slices.Equal(got, want) {
		t.Errorf("found\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// The CA's list and the CA's key decide, not the CA's name.
func TestIssuedBy(t *testing.T) {
	ca := testCA(t, otherKey(), CAOptions{})
	twin := testCA(t, testKey(), CAOptions{})
	stranger := testCA(t, ecKey(), CAOptions{Name: "Stranger"})
	cert, _, err := ParseCertificate(signed(t, ca, testHost, testKey()))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		ca    *x509.Certificate
		state string
		found string
	}{
		{ca.Certificate, OK, "signed by Test CA"},
		{twin.Certificate, Fail, "not of this CA's key"},
		{stranger.Certificate, Fail, "signed by Test CA"},
		{cert, Fail, "is no CA"},
	} {
		if f := issuedBy(tt.ca, cert); f.State != tt.state || !strings.Contains(f.Found, tt.found) {
			t.Errorf("%+v; want %s, %q", f, tt.state, tt.found)
		}
	}
	list := func(ca *CA) *x509.RevocationList {
		der, err := ca.CRL(now, day)
		if err != nil {
			t.Fatal(err)
		}
		crl, err := x509.ParseRevocationList(der)
		if err != nil {
			t.Fatal(err)
		}
		return crl
	}
	if f := notRevoked(list(ca), ca.Certificate, cert); f.State != OK {
		t.Errorf("%+v", f)
	}
	if f := notRevoked(list(twin), ca.Certificate, cert); f.State != Fail || !strings.Contains(f.Found, "not of this CA") {
		t.Errorf("a twin's list: %+v", f)
	}
	if _, err := ca.Revoke(cert.SerialNumber.Text(16), now); err != nil {
		t.Fatal(err)
	}
	if f := notRevoked(list(ca), ca.Certificate, cert); f.State != Fail || f.Found != "revoked on 2026-11-24" {
		t.Errorf("%+v", f)
	}
}
