package botcert

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gobuild/pkg/hint"
)

// keyBits is the size of the RSA keys that genbotcert makes; minKeyBits is
// the smallest that is signed.
const (
	keyBits    = 4096
	minKeyBits = 2048
)

// newCSR returns the CSR for host as genbotcert makes it, in PEM (LUCI
// protocol, section 11). With an RSA key the same arguments give the same
// bytes.
func newCSR(host string, key crypto.Signer) ([]byte, error) {
	template := &x509.CertificateRequest{
		Subject:  pkix.Name{Organization: []string{"Google"}, CommonName: FQDN(host)},
		DNSNames: []string{FQDN(host)},
	}
	if _, ok := key.Public().(*rsa.PublicKey); ok {
		template.SignatureAlgorithm = x509.SHA256WithRSA
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, template, key)
	if err != nil {
		return nil, fmt.Errorf("make the CSR for %s: %w", FQDN(host), err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}), nil
}

// CheckCSR returns nil if csr is what genbotcert makes for host, by all that
// "genbotcert -csr-path" compares before it signs (LUCI protocol, section 11)
// and by what it leaves out: the size of the key, other kinds of names, several
// names in one, and other extensions. With private, for a farm with a token
// server of its own, the key may be an ECDSA one.
func CheckCSR(csr *x509.CertificateRequest, host string, private bool) error {
	for _, f := range csrFindings(csr, host, private) {
		if f.State == Fail {
			err := fmt.Errorf("the CSR's %s: %s", f.What, f.Found)
			if f.Wanted != "" {
				err = fmt.Errorf("%w, wanted %s", err, f.Wanted)
			}
			return hint.With(err, "%s", f.Hint)
		}
	}
	return nil
}

// csrFindings judges csr, each of its parts on a line.
func csrFindings(csr *x509.CertificateRequest, host string, private bool) []Finding {
	anew := "make it with: gobuild csr " + host
	return []Finding{
		signatureFinding(csr, anew),
		subjectFinding(csr.RawSubject, host, anew),
		judge("DNS name", namesText(csr), FQDN(host), anew),
		judge("extensions", extensionsText(csr), noExtensions, anew),
		algorithmFinding(csr.SignatureAlgorithm, private, anew),
		keyFinding(csr.PublicKey, private, anew),
	}
}

func signatureFinding(csr *x509.CertificateRequest, anew string) Finding {
	if err := csr.CheckSignature(); err != nil {
		return Finding{Fail, "signature", "not that of its key: " + strings.TrimPrefix(err.Error(), "x509: "), "one made with the CSR's own key",
			"the file was changed or damaged after it was made; copy it again, or " + anew}
	}
	return Finding{State: OK, What: "signature", Found: "made with the CSR's own key"}
}

func algorithmFinding(alg x509.SignatureAlgorithm, private bool, anew string) Finding {
	switch alg {
	case x509.ECDSAWithSHA256, x509.ECDSAWithSHA384, x509.ECDSAWithSHA512:
		if private {
			return Finding{State: OK, What: "algorithm", Found: alg.String()}
		}
	}
	return judge("algorithm", alg.String(), x509.SHA256WithRSA.String(), anew)
}

// keyFinding judges a public key as such.
func keyFinding(pub crypto.PublicKey, private bool, anew string) Finding {
	const wanted = "RSA, 2048 bits at least"
	f := Finding{State: Fail, What: "key", Found: keyText(pub), Wanted: wanted, Hint: anew}
	switch pub := pub.(type) {
	case *rsa.PublicKey:
		if pub.N.BitLen() >= minKeyBits {
			return Finding{State: OK, What: "key", Found: f.Found}
		}
	case *ecdsa.PublicKey:
		if private && pub.Curve.Params().BitSize >= 256 {
			return Finding{State: OK, What: "key", Found: f.Found}
		}
	}
	return f
}

// keyText names the kind of a public key.
func keyText(pub crypto.PublicKey) string {
	switch pub := pub.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA, %d bits", pub.N.BitLen())
	case *ecdsa.PublicKey:
		return "ECDSA, " + pub.Curve.Params().Name
	case nil:
		return "of a kind that Go does not know"
	}
	return strings.TrimPrefix(strings.TrimSuffix(fmt.Sprintf("%T", pub), ".PublicKey"), "*")
}

// attributeNames are the short names of what a subject may hold.
var attributeNames = map[string]string{
	"2.5.4.3": "CN", "2.5.4.5": "serialNumber", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST",
	"2.5.4.10": "O", "2.5.4.11": "OU", "1.2.840.113549.1.9.1": "emailAddress",
}

// subjectFinding wants two RDNs of one attribute each, in genbotcert's order.
func subjectFinding(raw []byte, host, anew string) Finding {
	var rdns pkix.RDNSequence
	rest, err := asn1.Unmarshal(raw, &rdns)
	if err == nil && len(rest) == 0 && len(rdns) == 2 && isAttribute(rdns[0], "2.5.4.10", "Google") && isAttribute(rdns[1], "2.5.4.3", FQDN(host)) {
		return Finding{State: OK, What: "subject", Found: subjectText(rdns)}
	}
	return Finding{Fail, "subject", subjectText(rdns), "O=Google, CN=" + FQDN(host) + ", in this order", anew}
}

func isAttribute(rdn pkix.RelativeDistinguishedNameSET, oid, value string) bool {
	return len(rdn) == 1 && rdn[0].Type.String() == oid && rdn[0].Value == value
}

// subjectText writes a name in the order in which it is, with + between the
// attributes of one RDN: what the signer compares.
func subjectText(rdns pkix.RDNSequence) string {
	var parts []string
	for _, rdn := range rdns {
		var set []string
		for _, attr := range rdn {
			name := attr.Type.String()
			if short, ok := attributeNames[name]; ok {
				name = short
			}
			set = append(set, fmt.Sprintf("%s=%v", name, attr.Value))
		}
		parts = append(parts, strings.Join(set, "+"))
	}
	if len(parts) == 0 {
		return "empty"
	}
	return strings.Join(parts, ", ")
}

// namesText lists the names beside the subject, those that are no DNS names
// with their kind.
func namesText(csr *x509.CertificateRequest) string {
	names := slices.Clone(csr.DNSNames)
	for _, ip := range csr.IPAddresses {
		names = append(names, "IP "+ip.String())
	}
	for _, mail := range csr.EmailAddresses {
		names = append(names, "e-mail "+mail)
	}
	for _, uri := range csr.URIs {
		names = append(names, "URI "+uri.String())
	}
	for _, ext := range csr.Extensions {
		var all []asn1.RawValue
		if _, err := asn1.Unmarshal(ext.Value, &all); err == nil && ext.Id.Equal(oidSAN) && len(all) > len(names) {
			names = append(names, fmt.Sprintf("%d of other kinds", len(all)-len(names)))
		}
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// oidSAN is the extension with the names beside the subject.
var oidSAN = asn1.ObjectIdentifier{2, 5, 29, 17}

// extensionNames are the names that openssl has for extensions.
var extensionNames = map[string]string{
	"2.5.29.14": "subjectKeyIdentifier", "2.5.29.15": "keyUsage", "2.5.29.19": "basicConstraints", "2.5.29.37": "extendedKeyUsage",
}

// noExtensions is the extensionsText of a CSR as genbotcert makes it.
const noExtensions = "none but the name"

// extensionsText lists the extensions that csr asks for beside its names: what
// a signer may grant without looking.
func extensionsText(csr *x509.CertificateRequest) string {
	var others []string
	for _, ext := range csr.Extensions {
		if ext.Id.Equal(oidSAN) {
			continue
		}
		name := ext.Id.String()
		if known, ok := extensionNames[name]; ok {
			name = known
		}
		others = append(others, name)
	}
	if len(others) == 0 {
		return noExtensions
	}
	return strings.Join(others, ", ")
}

// Match returns nil if key is the private half of pub.
func Match(pub crypto.PublicKey, key crypto.Signer) error {
	half, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	if ok && half.Equal(pub) {
		return nil
	}
	return hint.With(errors.New("the key is another one's"),
		"the key belongs to the certificate and the CSR that were made with it; look for a file kept aside under a dated name, or begin anew with gobuild csr HOSTNAME --force")
}

// Fingerprint names a public key, and so the key, CSR and certificate that
// belong together: SHA256: and the base64 of the hash of its SubjectPublicKeyInfo.
func Fingerprint(pub crypto.PublicKey) string {
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(der)
	return "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])
}
