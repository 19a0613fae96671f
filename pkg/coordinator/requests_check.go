package coordinator

import (
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"gobuild/pkg/api"
	"gobuild/pkg/botcert"
	"gobuild/pkg/hint"
	"gobuild/pkg/lazyre"
	"gobuild/pkg/store"
)

// Limits of what strangers and maintainers write.
const (
	maxContact = 200      // characters
	maxWord    = 1000     // characters of a note or a reason
	maxReport  = 32 << 10 // bytes
	// maxRSA is the largest key, in bits, that signatures are verified with:
	// with a larger one that costs us more than it costs a stranger to ask.
	maxRSA = 8192
)

// wishForm is what the wish for a host type may look like. Whether there is
// one of that name matters when it is granted: it may be made for the port.
var wishForm = lazyre.New(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// maxWish is the longest wish, in bytes.
const maxWish = 100

// checkNewRequest returns the record of r, and its CSR. The errors are
// *api.Error.
func checkNewRequest(r api.NewRequest) (store.Request, *x509.CertificateRequest, error) {
	fail := func(err error) (store.Request, *x509.CertificateRequest, error) {
		return store.Request{}, nil, badRequest(err)
	}
	// The port may be one that Go does not have yet: the maintainer decides.
	host, err := botcert.CheckHost(r.Hostname, true)
	if err != nil {
		return fail(err)
	}
	if err := checkFields(r, host.Port.String()); err != nil {
		return fail(err)
	}
	csr, err := parseCSR(r.CSR)
	if err == nil {
		err = botcert.CheckCSR(csr, host.Name, true)
	}
	if err != nil {
		return fail(err)
	}
	return store.Request{
		Hostname: host.Name, Port: r.Port, HostType: r.HostType, Contact: strings.TrimSpace(r.Contact),
		CSR: encodePEM("CERTIFICATE REQUEST", csr.Raw), KeyID: botcert.Fingerprint(csr.PublicKey), Report: r.Report,
	}, csr, nil
}

// checkFields checks what of r is not in the CSR; port is that of the host
// name.
func checkFields(r api.NewRequest, port string) error {
	switch {
	case r.Port != port:
		return api.Errorf(api.CodeBadRequest, "port %.40q is not that of host name %s", r.Port, r.Hostname).WithHint("it is %s", port)
	case r.HostType != "" && (len(r.HostType) > maxWish || !wishForm.MatchString(r.HostType)):
		return api.Errorf(api.CodeBadRequest, "%.100q cannot be a host type's name", r.HostType).WithHint("as host-%s", port)
	case strings.ContainsAny(r.Contact, "\n\t"):
		return api.Errorf(api.CodeBadRequest, "the contact has a tab or more than one line")
	case len(r.Report) > maxReport:
		return api.Errorf(api.CodeTooLarge, "the report is %d bytes long: at most %d are taken", len(r.Report), maxReport)
	}
	if err := checkText("contact", r.Contact, maxContact); err != nil {
		return err
	}
	return checkText("report", r.Report, maxReport)
}

// badRequest makes an *api.Error of any error, with its hint.
func badRequest(err error) error {
	if known, ok := errors.AsType[*api.Error](err); ok {
		return known
	}
	return api.Errorf(api.CodeBadRequest, "%v", err).WithHint("%s", hint.Of(err))
}

// parseCSR reads a CSR whose key is worth to be verified with.
func parseCSR(text string) (*x509.CertificateRequest, error) {
	csr, _, err := botcert.ParseCSR([]byte(text))
	if err != nil {
		return nil, err
	}
	if key, ok := csr.PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() > maxRSA {
		return nil, api.Errorf(api.CodeBadRequest, "the CSR's RSA key has %d bits: at most %d are taken", key.N.BitLen(), maxRSA).
			WithHint("gobuild csr makes a key of 4096")
	}
	return csr, nil
}

// checkCertificate checks that text is a certificate for rec's key and host
// name, and returns it, and nothing else of text, as PEM.
func checkCertificate(rec store.Request, text string, now time.Time) (string, error) {
	csr, err := parseCSR(rec.CSR)
	if err != nil {
		return "", fmt.Errorf("request %s: its CSR as stored: %w", rec.ID, err)
	}
	cert, _, err := botcert.ParseCertificate([]byte(text))
	if err != nil {
		return "", badRequest(err)
	}
	if !csr.PublicKey.(interface{ Equal(crypto.PublicKey) bool }).Equal(cert.PublicKey) {
		return "", api.Errorf(api.CodeBadRequest, "the certificate is for another key than the CSR's").
			WithHint("sign the CSR that this prints: gobuild requests show --csr %s", rec.ID)
	}
	for _, f := range botcert.CheckCertificate(cert, rec.Hostname, now) {
		// The kind of key was judged with the CSR: LUCI's server takes RSA only.
		if f.State == botcert.Fail && f.What != "key" {
			return "", api.Errorf(api.CodeBadRequest, "the certificate's %s: %.200s, wanted %s", f.What, f.Found, f.Wanted).WithHint("%s", f.Hint)
		}
	}
	return encodePEM("CERTIFICATE", cert.Raw), nil
}

func encodePEM(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// checkText checks that text is short enough, and that nothing in it steers a
// terminal or hides.
func checkText(field, text string, limit int) error {
	if n := utf8.RuneCountInString(text); n > limit {
		return api.Errorf(api.CodeBadRequest, "the %s has %d characters: at most %d are taken", field, n, limit)
	}
	for i, c := range text {
		if c != '\n' && c != '\t' && !unicode.IsGraphic(c) {
			return api.Errorf(api.CodeBadRequest, "the %s has the control character %U at byte %d", field, c, i)
		}
	}
	return nil
}
