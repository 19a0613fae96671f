package botcert

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"gobuild/pkg/atomicfile"
	"gobuild/pkg/hint"
)

// The files in the directory of a local CA.
const (
	CAKeyFile         = "ca.key"
	CACertificateFile = "ca.pem"
	caIssued          = "issued" // directory: SERIAL.json, SERIAL.pem
)

// backdate is how far back new certificates begin, for clocks that are slow.
const backdate = 10 * time.Minute

// CA is a local certificate authority: a key, its own certificate, and the
// list of what it has issued, in a directory. It signs what a token server
// takes (LUCI protocol, section 11). Several programs may use one directory at
// once.
type CA struct {
	Certificate *x509.Certificate
	dir         string
	key         crypto.Signer
}

// CAOptions is what InitCA makes.
type CAOptions struct {
	// Name is the CA's CN, by which a token server finds it: unique among
	// all that it knows. Empty makes one up.
	Name string
	// ECDSA makes a CA for a private farm: an ECDSA key, which LUCI's own
	// token server does not take; it signs for such keys too.
	ECDSA    bool
	Lifetime time.Duration
	Now      time.Time
}

// InitCA makes a CA in dir, which it makes too if need be. A CA that is there
// is an error: its key is never overwritten.
func InitCA(ctx context.Context, dir string, opts CAOptions) (*CA, error) {
	if opts.Name == "" {
		random := make([]byte, 6)
		rand.Read(random)
		opts.Name = "gobuild CA " + hex.EncodeToString(random)
	}
	if n := utf8.RuneCountInString(opts.Name); n > 64 || !isPrintable(opts.Name) {
		return nil, hint.With(fmt.Errorf("name of the CA %.80q", opts.Name), "64 printable characters are the most that a certificate holds")
	}
	if opts.Lifetime <= 0 {
		return nil, fmt.Errorf("a CA has to be valid for a day at least, not for %s", opts.Lifetime)
	}
	if there := existing(filepath.Join(dir, CAKeyFile), filepath.Join(dir, CACertificateFile)); len(there) > 0 {
		return nil, hint.With(fmt.Errorf("make a CA: %s is there already", there[0]), "all certificates that this CA issued hang on it; choose another directory for a new one")
	}
	key, err := caKey(ctx, opts.ECDSA)
	if err != nil {
		return nil, fmt.Errorf("make the CA's key: %w", err)
	}
	ca := &CA{dir: dir, key: key}
	return ca, ca.init(opts)
}

func caKey(ctx context.Context, ec bool) (crypto.Signer, error) {
	if ec {
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	return generate(ctx, keyBits)
}

// init makes the CA's certificate and writes its files.
func (ca *CA) init(opts CAOptions) error {
	template := &x509.Certificate{
		SerialNumber:          newSerial(),
		Subject:               pkix.Name{CommonName: opts.Name},
		NotBefore:             opts.Now.Add(-backdate),
		NotAfter:              opts.Now.Add(opts.Lifetime),
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true, // the token server knows no intermediates
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, ca.key.Public(), ca.key)
	if err != nil {
		return fmt.Errorf("make the CA's certificate: %w", err)
	}
	if ca.Certificate, err = x509.ParseCertificate(der); err != nil {
		return err
	}
	key, err := x509.MarshalPKCS8PrivateKey(ca.key)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(ca.dir, caIssued), 0o755); err != nil {
		return err
	}
	keyFile := filepath.Join(ca.dir, CAKeyFile)
	if err := atomicfile.WriteNew(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), 0o600); err != nil {
		return err
	}
	if err := atomicfile.WriteNew(filepath.Join(ca.dir, CACertificateFile), certPEM(der), 0o644); err != nil {
		os.Remove(keyFile)
		return err
	}
	return nil
}

// OpenCA reads the CA in dir.
func OpenCA(dir string) (*CA, error) {
	cert, _, err := ReadCertificate(filepath.Join(dir, CACertificateFile))
	if err != nil {
		return nil, hint.With(fmt.Errorf("open the CA in %s: %w", dir, err), "--ca names the directory that gobuild csr ca init made")
	}
	key, _, err := ReadKey(filepath.Join(dir, CAKeyFile))
	if err != nil {
		return nil, fmt.Errorf("open the CA in %s: %w", dir, err)
	}
	if err := Match(cert.PublicKey, key); err != nil || !cert.IsCA {
		return nil, fmt.Errorf("open the CA in %s: %s is not the certificate of the CA whose key is in %s", dir, CACertificateFile, CAKeyFile)
	}
	return &CA{Certificate: cert, dir: dir, key: key}, nil
}

// ecdsa reports whether the CA is one for a private farm.
func (ca *CA) ecdsa() bool {
	_, ok := ca.key.(*ecdsa.PrivateKey)
	return ok
}

// SignOptions is how a certificate is made.
type SignOptions struct {
	// Lifetime is for how long; the end of the CA may shorten it.
	Lifetime time.Duration
	// ECDSA takes CSRs with ECDSA keys too; a CA with such a key always does.
	ECDSA bool
	// Out is the file that the certificate goes to; empty means none. It is
	// never overwritten.
	Out string
	Now time.Time
}

// Sign issues a certificate for host, after the checks of CheckCSR, and enters
// it into the list of issued ones. It returns the certificate in PEM. If Out
// cannot be written, nothing was issued.
func (ca *CA) Sign(csr *x509.CertificateRequest, host string, opts SignOptions) (Issued, []byte, error) {
	if err := CheckCSR(csr, host, opts.ECDSA || ca.ecdsa()); err != nil {
		return Issued{}, nil, err
	}
	if opts.Lifetime <= 0 {
		return Issued{}, nil, fmt.Errorf("a certificate has to be valid for a day at least, not for %s", opts.Lifetime)
	}
	if opts.Now.Before(ca.Certificate.NotBefore) || opts.Now.After(ca.Certificate.NotAfter) {
		return Issued{}, nil, hint.With(fmt.Errorf("the CA %s cannot sign: it is valid %s", ca.Certificate.Subject.CommonName, validity(ca.Certificate, opts.Now)),
			"make a new CA with gobuild csr ca init, and tell the token server of it")
	}
	template := &x509.Certificate{
		SerialNumber:          newSerial(),
		RawSubject:            csr.RawSubject,
		DNSNames:              csr.DNSNames,
		NotBefore:             later(opts.Now.Add(-backdate), ca.Certificate.NotBefore),
		NotAfter:              opts.Now.Add(opts.Lifetime),
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	shortened := template.NotAfter.After(ca.Certificate.NotAfter)
	if shortened {
		template.NotAfter = ca.Certificate.NotAfter
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.Certificate, csr.PublicKey, ca.key)
	if err != nil {
		return Issued{}, nil, fmt.Errorf("sign the CSR: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return Issued{}, nil, err
	}
	serial := fmt.Sprintf("%x", cert.SerialNumber)
	issued := Issued{
		Serial: serial, Hostname: host, FQDN: FQDN(host), Fingerprint: Fingerprint(cert.PublicKey),
		Issued: opts.Now.UTC().Truncate(time.Second), Expires: cert.NotAfter, Shortened: shortened, File: ca.entry(serial, ".pem"),
	}
	text := certPEM(der)
	if err := ca.enter(issued, text); err != nil {
		return Issued{}, nil, err
	}
	if opts.Out != "" {
		if err := atomicfile.WriteNew(opts.Out, text, 0o644); err != nil {
			ca.strike(issued)
			return Issued{}, nil, err
		}
	}
	return issued, text, nil
}

func isPrintable(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }) < 0
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func certPEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// newSerial returns a random number of 127 bits, above 0.
func newSerial() *big.Int {
	bound := new(big.Int).Lsh(big.NewInt(1), 127)
	for {
		serial, err := rand.Int(rand.Reader, bound)
		if err == nil && serial.Sign() > 0 {
			return serial
		}
	}
}

// CRL returns the list of what the CA has revoked, in DER, as a token server
// fetches it. It counts as current for lifetime from now on.
func (ca *CA) CRL(now time.Time, lifetime time.Duration) ([]byte, error) {
	all, err := ca.Issued()
	if err != nil {
		return nil, err
	}
	template := &x509.RevocationList{
		Number:     big.NewInt(now.UnixMilli()), // has to grow
		ThisUpdate: now,
		NextUpdate: now.Add(lifetime),
	}
	for _, issued := range all {
		if issued.Revoked == nil {
			continue
		}
		serial, ok := new(big.Int).SetString(issued.Serial, 16)
		if !ok {
			return nil, errors.New("bad serial number in the list of issued certificates: " + issued.Serial)
		}
		template.RevokedCertificateEntries = append(template.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: serial, RevocationTime: *issued.Revoked})
	}
	der, err := x509.CreateRevocationList(rand.Reader, template, ca.Certificate, ca.key)
	if err != nil {
		return nil, fmt.Errorf("make the revocation list: %w", err)
	}
	return der, nil
}
