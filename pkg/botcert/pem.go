package botcert

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"gobuild/pkg/hint"
	"gobuild/pkg/lazyre"
)

// Note is something about a file that gobuild puts up with and an upstream
// program does not.
type Note struct {
	Text string `json:"text"` // what there is, and who refuses it
	Hint string `json:"hint"` // how to mend it
}

// maxFile bounds how much of a file is read, in bytes: keys and certificates
// have a few thousand.
const maxFile = 1 << 20

// pipeWait is how long a pipe may take to say all that it has: a shell's
// <(command) is one.
const pipeWait = 10 * time.Second

// readFile returns what is in file, which may not be longer than maxFile. A
// named pipe that nobody writes to is empty.
func readFile(file string) ([]byte, error) {
	f, err := os.OpenFile(file, os.O_RDONLY|nonBlock, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	f.SetReadDeadline(time.Now().Add(pipeWait)) // fails for what never waits
	data, err := readSmall(f, file)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = fmt.Errorf("%s is a pipe that did not end within %v", file, pipeWait)
	}
	return data, err
}

func readSmall(r io.Reader, name string) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("%s is longer than 1 MiB", name)
	}
	return data, err
}

// plainName is a file name that a shell takes as it is.
var plainName = lazyre.New(`^[\w@%+=:,./\\-]+$`)

// quoted writes a file name as the commands in hints need it.
func quoted(name string) string {
	if plainName.MatchString(name) && name[0] != '-' {
		return name
	}
	return "'" + strings.ReplaceAll(name, "'", `'\''`) + "'"
}

// kind is what a block, or a file, turns out to be.
type kind string

const (
	kindCSR          kind = "a certificate request"
	kindCertificate  kind = "a certificate"
	kindRSAKey       kind = "a private key (PKCS#1)"
	kindPKCS8Key     kind = "a private key (PKCS#8)"
	kindECKey        kind = "an EC private key"
	kindEncryptedKey kind = "an encrypted private key"
	kindOpenSSHKey   kind = "an OpenSSH private key"
	kindPublicKey    kind = "a public key"
	kindSSHPublicKey kind = "an SSH public key"
	kindPKCS7        kind = "a PKCS#7 bundle of certificates"
	kindPKCS12       kind = "a PKCS#12 archive"
	kindCRL          kind = "a revocation list"
	kindParameters   kind = "EC parameters"
)

// labels tells what each PEM label stands for.
var labels = map[string]kind{
	"CERTIFICATE REQUEST":     kindCSR,
	"NEW CERTIFICATE REQUEST": kindCSR,
	"CERTIFICATE":             kindCertificate,
	"X509 CERTIFICATE":        kindCertificate,
	"TRUSTED CERTIFICATE":     kindCertificate,
	"RSA PRIVATE KEY":         kindRSAKey,
	"PRIVATE KEY":             kindPKCS8Key,
	"EC PRIVATE KEY":          kindECKey,
	"ENCRYPTED PRIVATE KEY":   kindEncryptedKey,
	"OPENSSH PRIVATE KEY":     kindOpenSSHKey,
	"PUBLIC KEY":              kindPublicKey,
	"RSA PUBLIC KEY":          kindPublicKey,
	"SSH2 PUBLIC KEY":         kindSSHPublicKey,
	"PKCS7":                   kindPKCS7,
	"CMS":                     kindPKCS7,
	"X509 CRL":                kindCRL,
	"EC PARAMETERS":           kindParameters,
}

func (k kind) isKey() bool {
	switch k {
	case kindRSAKey, kindPKCS8Key, kindECKey, kindEncryptedKey, kindOpenSSHKey:
		return true
	}
	return false
}

// kindOf returns what a block is by its label.
func kindOf(block *pem.Block) kind {
	k, ok := labels[block.Type]
	switch {
	case !ok:
		return kind(fmt.Sprintf("a PEM block labelled %.40q", block.Type))
	case k == kindRSAKey || k == kindECKey:
		if block.Headers["DEK-Info"] != "" {
			return kindEncryptedKey
		}
	}
	return k
}

// armour is a PEM file, taken apart.
type armour struct {
	name   string // as commands in hints call the file
	bom    bool
	blocks []*pem.Block
	rest   []byte // all that is behind the first block
	tail   []byte // what is behind the last, without white space around it
}

// bom begins what some editors on Windows write.
var bom = []byte("\xef\xbb\xbf")

// open takes data apart. want is for the hints: what the caller hopes to find.
func open(data []byte, name string, want kind) (*armour, error) {
	a := &armour{name: name}
	data, a.bom = bytes.CutPrefix(data, bom)
	block, rest := pem.Decode(data)
	if block == nil {
		return nil, notPEM(data, name, want)
	}
	a.rest = rest
	for block != nil {
		a.blocks = append(a.blocks, block)
		a.tail = bytes.TrimSpace(rest)
		block, rest = pem.Decode(rest)
	}
	if bytes.Contains(a.tail, []byte("-----BEGIN ")) {
		return nil, hint.With(errors.New("the last PEM block is cut short or damaged"), "copy the file again, whole")
	}
	return a, nil
}

// notPEM says what data is, in which there is no PEM block.
func notPEM(data []byte, name string, want kind) error {
	text := bytes.TrimSpace(data)
	switch {
	case len(text) == 0:
		return hint.With(errors.New("the file is empty"), "%s", getHint(want))
	case bytes.HasPrefix(data, []byte("\xff\xfe")), bytes.HasPrefix(data, []byte("\xfe\xff")):
		return hint.With(errors.New("the file is UTF-16 text, as > in PowerShell writes it"),
			"write it as ASCII: Get-Content %s | Set-Content -Encoding ascii NEW", name)
	case bytes.Contains(text, []byte("-----BEGIN ")):
		return damaged(data)
	case bytes.HasPrefix(text, []byte("ssh-")), bytes.HasPrefix(text, []byte("ecdsa-sha2-")):
		return wrong(kindSSHPublicKey, name, want)
	case bytes.HasPrefix(text, []byte("PuTTY-User-Key-File")):
		return hint.With(errors.New("the file is a PuTTY key"), "%s", getHint(want))
	case bytes.HasPrefix(text, []byte("<")):
		return hint.With(errors.New("the file is a web page"), "download the attachment itself, not the page that shows it")
	}
	if k := kindOfDER(data); k != "" {
		return hint.With(fmt.Errorf("the file is %s in DER, the binary form, not in PEM", k), "%s", derHint(k, name, want))
	}
	if der, err := base64.StdEncoding.DecodeString(string(bytes.Join(bytes.Fields(text), nil))); err == nil && kindOfDER(der) != "" {
		return hint.With(fmt.Errorf("the file is %s without its -----BEGIN and -----END lines", kindOfDER(der)), "copy the file again, whole")
	}
	return hint.With(errors.New("the file holds no PEM block"), "%s", getHint(want))
}

// damaged says what is wrong with a text that has a BEGIN line and yet no
// block.
func damaged(text []byte) error {
	for line := range bytes.Lines(text) {
		if bytes.Index(line, []byte("-----BEGIN ")) > 0 {
			return hint.With(errors.New("the PEM block is indented or quoted: -----BEGIN does not begin its line"), "remove what the copying put before each line")
		}
	}
	if !bytes.Contains(text, []byte("-----END ")) {
		return hint.With(errors.New("the PEM block is cut short: it has no -----END line"), "copy the file again, whole")
	}
	return hint.With(errors.New("the PEM block is damaged: between -----BEGIN and -----END there is something else than base64"), "copy the file again, as it is")
}

// kindOfDER returns what a binary structure is, or "" if nothing known.
func kindOfDER(der []byte) kind {
	if len(der) == 0 || der[0] != 0x30 { // an ASN.1 sequence
		return ""
	}
	if _, err := x509.ParseCertificate(der); err == nil {
		return kindCertificate
	}
	if _, err := x509.ParseCertificateRequest(der); err == nil {
		return kindCSR
	}
	if _, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return kindRSAKey
	}
	if _, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		return kindPKCS8Key
	}
	if _, err := x509.ParseECPrivateKey(der); err == nil {
		return kindECKey
	}
	if _, err := x509.ParsePKIXPublicKey(der); err == nil {
		return kindPublicKey
	}
	if _, err := x509.ParsePKCS1PublicKey(der); err == nil {
		return kindPublicKey
	}
	if _, err := x509.ParseRevocationList(der); err == nil {
		return kindCRL
	}
	return kindOfOuterDER(der)
}

// derHint says how to turn a binary file into what is wanted.
func derHint(k kind, name string, want kind) string {
	if want == "" {
		want = k
	}
	switch {
	case k == kindPKCS7, k == kindEncryptedKey:
		return strings.Replace(wrongHint(k, name, want), " -in ", " -inform DER -in ", 1)
	case k == kindPKCS12, !sameUse(k, want):
		return wrongHint(k, name, want)
	case k == kindCSR:
		return fmt.Sprintf("openssl req -inform DER -in %s -out NEW", name)
	case k == kindCertificate:
		return fmt.Sprintf("openssl x509 -inform DER -in %s -out NEW", name)
	}
	return fmt.Sprintf("openssl pkey -inform DER -traditional -in %s -out NEW", name)
}

// sameUse reports whether k is what is wanted, or another form of it.
func sameUse(k, want kind) bool { return k == want || k.isKey() && want.isKey() }

// wrong says that a file is k and not what was wanted.
func wrong(k kind, name string, want kind) error {
	err := fmt.Errorf("the file is %s", k)
	if want != "" && !sameUse(k, want) {
		err = fmt.Errorf("%w, not %s", err, strings.TrimSuffix(string(want), " (PKCS#1)"))
	}
	return hint.With(err, "%s", wrongHint(k, name, want))
}

func wrongHint(k kind, name string, want kind) string {
	switch {
	case want == kindCSR && !k.isKey():
		return getHint(want)
	case k == kindPKCS12 && !want.isKey():
		return fmt.Sprintf("openssl pkcs12 -in %s -clcerts -nokeys | openssl x509 -out NEW", name)
	case k == kindPKCS12:
		return fmt.Sprintf("openssl pkcs12 -in %s -nocerts -nodes | openssl pkey -traditional -out NEW", name)
	case k == kindPKCS7:
		return fmt.Sprintf("openssl pkcs7 -in %s -print_certs | openssl x509 -out NEW", name)
	case k == kindEncryptedKey && want.isKey():
		return fmt.Sprintf("a daemon cannot type a passphrase: openssl pkey -traditional -in %s -out NEW, then chmod 600 NEW", name)
	case k == kindOpenSSHKey && want.isKey():
		return fmt.Sprintf(`on a copy: ssh-keygen -p -N "" -m PEM -f %s`, name)
	case k.isKey():
		return "the private key is for nobody but its owner; " + getHint(want)
	}
	return getHint(want)
}

// getHint says where one gets what is wanted.
func getHint(want kind) string {
	switch want {
	case kindCSR:
		return "the CSR is the file HOSTNAME.csr that gobuild csr makes; with --reuse-key, from a key that is there"
	case kindCertificate:
		return "the certificate is what the farm's team sends back for the CSR; it begins with -----BEGIN CERTIFICATE-----"
	case "":
		return "what can be checked is a CSR, a certificate or a private key, in PEM"
	}
	return "the key is the file HOSTNAME.key that gobuild csr made together with the CSR"
}
