package botcert

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"net"
	"net/url"
	"strings"
	"testing"

	"gobuild/pkg/hint"
)

func TestNewCSR(t *testing.T) {
	one, err := newCSR(testHost, testKey())
	if err != nil {
		t.Fatal(err)
	}
	two, err := newCSR(testHost, testKey())
	if err != nil || string(one) != string(two) {
		t.Errorf("the same key gives two different CSRs (%v)", err)
	}
	csr := testCSR(t, testHost, testKey())
	if err := CheckCSR(csr, testHost, false); err != nil {
		t.Error(err)
	}
	if err := Match(csr.PublicKey, testKey()); err != nil {
		t.Error(err)
	}
	wantError(t, Match(csr.PublicKey, otherKey()), "the key is another one's", "--force")
	wantError(t, Match(csr.PublicKey, ecKey()), "the key is another one's", "--force")
}

// subject is a list of attributes, each an RDN.
func subject(attrs ...any) pkix.RDNSequence {
	var rdns pkix.RDNSequence
	for i := 0; i < len(attrs); i += 2 {
		rdns = append(rdns, pkix.RelativeDistinguishedNameSET{{Type: attrs[i].(asn1.ObjectIdentifier), Value: attrs[i+1]}})
	}
	return rdns
}

var (
	oidO  = asn1.ObjectIdentifier{2, 5, 4, 10}
	oidCN = asn1.ObjectIdentifier{2, 5, 4, 3}
	oidOU = asn1.ObjectIdentifier{2, 5, 4, 11}
)

// A CSR that differs in one thing is refused for that thing.
func TestCheckCSR(t *testing.T) {
	fqdn := FQDN(testHost)
	together := pkix.RDNSequence{{{Type: oidO, Value: "Google"}, {Type: oidCN, Value: fqdn}}}
	mail, _ := url.Parse("https://example.com")
	for _, tt := range []struct {
		name    string
		subject pkix.RDNSequence // nil means the right one
		change  func(*x509.CertificateRequest)
		key     crypto.Signer // nil means an RSA one
		private bool
		err     string // empty means accepted
	}{
		{name: "right"},
		{name: "other host", subject: subject(oidO, "Google", oidCN, FQDN("linux-amd64-gopher")), err: "CN=linux-amd64-gopher.bots.golang.org, wanted O=Google, CN=" + fqdn},
		{name: "short CN", subject: subject(oidO, "Google", oidCN, testHost), err: "the CSR's subject: O=Google, CN=linux-riscv64-gopher, wanted"},
		{name: "domain twice", subject: subject(oidO, "Google", oidCN, FQDN(fqdn)), err: "the CSR's subject"},
		{name: "capitals", subject: subject(oidO, "Google", oidCN, strings.ToUpper(fqdn)), err: "the CSR's subject"},
		{name: "O after CN", subject: subject(oidCN, fqdn, oidO, "Google"), err: "CN=" + fqdn + ", O=Google, wanted O=Google, CN="},
		{name: "no O", subject: subject(oidCN, fqdn), err: "the CSR's subject: CN="},
		{name: "other O", subject: subject(oidO, "Gopher", oidCN, fqdn), err: "the CSR's subject: O=Gopher"},
		{name: "OU too", subject: subject(oidO, "Google", oidOU, "x", oidCN, fqdn), err: "OU=x"},
		{name: "two CN", subject: subject(oidO, "Google", oidCN, fqdn, oidCN, fqdn), err: "the CSR's subject"},
		{name: "one RDN", subject: together, err: "O=Google+CN=" + fqdn},
		{name: "empty subject", subject: pkix.RDNSequence{}, err: "the CSR's subject: empty"},
		{name: "all in O", subject: subject(oidO, "Google, CN="+fqdn), err: "the CSR's subject"},
		{name: "no name", change: func(c *x509.CertificateRequest) { c.DNSNames = nil }, err: "DNS name: none, wanted " + fqdn},
		{name: "other name", change: func(c *x509.CertificateRequest) { c.DNSNames = []string{"x.bots.golang.org"} }, err: "DNS name: x.bots"},
		{name: "two names", change: func(c *x509.CertificateRequest) { c.DNSNames = append(c.DNSNames, "x.org") }, err: fqdn + ", x.org"},
		{name: "IP", change: func(c *x509.CertificateRequest) { c.IPAddresses = []net.IP{{127, 0, 0, 1}} }, err: "IP 127.0.0.1"},
		{name: "e-mail", change: func(c *x509.CertificateRequest) { c.EmailAddresses = []string{"a@b.org"} }, err: "e-mail a@b.org"},
		{name: "URI", change: func(c *x509.CertificateRequest) { c.URIs = []*url.URL{mail} }, err: "URI https://example.com"},
		{name: "names of other kinds", change: func(c *x509.CertificateRequest) {
			names, _ := asn1.Marshal([]asn1.RawValue{{Class: asn1.ClassContextSpecific, Tag: 2, Bytes: []byte(fqdn)}, {Class: asn1.ClassContextSpecific, Tag: 8, Bytes: []byte{42, 3, 4}}})
			c.ExtraExtensions = []pkix.Extension{{Id: oidSAN, Value: names}}
		}, err: "DNS name: " + fqdn + ", 1 of other kinds"},
		{name: "to be a CA", change: func(c *x509.CertificateRequest) {
			c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 19}, Value: []byte{0x30, 3, 1, 1, 0xff}}}
		}, err: "extensions: basicConstraints, wanted none but the name"},
		{name: "two extensions", change: func(c *x509.CertificateRequest) {
			c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Value: []byte{0x30, 0}}, {Id: asn1.ObjectIdentifier{1, 2, 3}, Value: []byte{0x30, 0}}}
		}, err: "extensions: extendedKeyUsage, 1.2.3, wanted"},
		{name: "SHA-384", change: func(c *x509.CertificateRequest) { c.SignatureAlgorithm = x509.SHA384WithRSA }, err: "algorithm: SHA384-RSA, wanted SHA256-RSA"},
		{name: "PSS", change: func(c *x509.CertificateRequest) { c.SignatureAlgorithm = x509.SHA256WithRSAPSS }, err: "algorithm: SHA256-RSAPSS"},
		{name: "EC", change: ecdsaSigned, key: ecKey(), err: "algorithm: ECDSA-SHA256, wanted SHA256-RSA"},
		{name: "EC, private farm", change: ecdsaSigned, key: ecKey(), private: true},
		{name: "SHA-384, private farm", change: func(c *x509.CertificateRequest) { c.SignatureAlgorithm = x509.SHA384WithRSA }, private: true, err: "algorithm"},
		{name: "small key", key: smallKey(), err: "key: RSA, 1024 bits, wanted RSA, 2048 bits at least"},
	} {
		template := &x509.CertificateRequest{DNSNames: []string{fqdn}, SignatureAlgorithm: x509.SHA256WithRSA}
		if tt.subject == nil {
			tt.subject = subject(oidO, "Google", oidCN, fqdn)
		}
		var err error
		if template.RawSubject, err = asn1.Marshal(tt.subject); err != nil {
			t.Fatal(err)
		}
		if tt.change != nil {
			tt.change(template)
		}
		if tt.key == nil {
			tt.key = testKey()
		}
		der, err := x509.CreateCertificateRequest(rand.Reader, template, tt.key)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		csr, _, err := ParseCSR(pemText("CERTIFICATE REQUEST", der))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		err = CheckCSR(csr, testHost, tt.private)
		if tt.err == "" {
			if err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), tt.err) || !strings.Contains(hint.Of(err), "gobuild csr "+testHost) {
			t.Errorf("%s: error %v, hint %q; want %q", tt.name, err, hint.Of(err), tt.err)
		}
	}
}

func ecdsaSigned(c *x509.CertificateRequest) { c.SignatureAlgorithm = x509.ECDSAWithSHA256 }

// A changed CSR no longer bears the signature of its key.
func TestCheckCSRSignature(t *testing.T) {
	csr := testCSR(t, testHost, testKey())
	for _, at := range []int{len(csr.Raw) - 1, len(csr.Raw) - 200} {
		der := append([]byte{}, csr.Raw...)
		der[at] ^= 1
		changed, err := x509.ParseCertificateRequest(der)
		if err != nil {
			t.Fatal(err)
		}
		wantError(t, CheckCSR(changed, testHost, false), "the CSR's signature: not that of its key", "copy it again")
	}
}
