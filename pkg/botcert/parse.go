package botcert

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strconv"

	"gobuild/pkg/hint"
)

// ReadCSR reads the one CSR in a PEM file. Its errors name the file, say what
// it is instead, and have as hint how to mend it; notes are what a signer
// elsewhere may stumble over. The signature is not checked: see CheckCSR.
func ReadCSR(file string) (*x509.CertificateRequest, []Note, error) {
	return read(file, parseCSR)
}

// ReadCertificate reads the first certificate in a PEM file, as ReadCSR does.
// The notes tell what luci_machine_tokend refuses (LUCI protocol, section
// 7.3).
func ReadCertificate(file string) (*x509.Certificate, []Note, error) {
	return read(file, parseCertificate)
}

// ReadKey reads the one private key in a PEM file, as ReadCSR does: RSA or
// ECDSA, PKCS#1, PKCS#8 or SEC 1, not encrypted. The notes tell what
// luci_machine_tokend refuses (LUCI protocol, section 7.3). Neither errors nor
// notes hold anything of the key.
func ReadKey(file string) (crypto.Signer, []Note, error) {
	return read(file, parseKey)
}

// ParseCSR is ReadCSR for what is in memory.
func ParseCSR(data []byte) (*x509.CertificateRequest, []Note, error) { return parseCSR(data, "FILE") }

// ParseCertificate is ReadCertificate for what is in memory.
func ParseCertificate(data []byte) (*x509.Certificate, []Note, error) {
	return parseCertificate(data, "FILE")
}

// ParseKey is ReadKey for what is in memory.
func ParseKey(data []byte) (crypto.Signer, []Note, error) { return parseKey(data, "FILE") }

func read[T any](file string, parse func(data []byte, name string) (T, []Note, error)) (T, []Note, error) {
	var none T
	data, err := readFile(file)
	if err != nil {
		return none, nil, err
	}
	v, notes, err := parse(data, quoted(file))
	if err != nil {
		return none, nil, fmt.Errorf("%s: %w", file, err)
	}
	return v, notes, nil
}

func parseCSR(data []byte, name string) (*x509.CertificateRequest, []Note, error) {
	a, err := open(data, name, kindCSR)
	if err != nil {
		return nil, nil, err
	}
	for _, block := range a.blocks {
		if kindOf(block).isKey() {
			return nil, nil, hint.With(errors.New("the file holds a private key, and a CSR is shown to everybody"),
				"%s; if this file was sent to anybody, make a new key: gobuild csr HOSTNAME --force", getHint(kindCSR))
		}
	}
	block := a.blocks[0]
	switch {
	case kindOf(block) != kindCSR && kindOfDER(block.Bytes) == kindCSR:
		return nil, nil, hint.With(fmt.Errorf("the PEM block is labelled %q, but holds %s", block.Type, kindCSR), "%s", getHint(kindCSR))
	case kindOf(block) != kindCSR:
		return nil, nil, wrong(kindOf(block), name, kindCSR)
	case block.Type != "CERTIFICATE REQUEST":
		return nil, nil, hint.With(fmt.Errorf("the CSR is labelled %q, not %q", block.Type, "CERTIFICATE REQUEST"), "openssl req -in %s -out NEW", name)
	case len(a.blocks) > 1:
		return nil, nil, hint.With(fmt.Errorf("the file holds %d PEM blocks, and only the first would be signed", len(a.blocks)), "openssl req -in %s -out NEW keeps the first", name)
	case len(a.tail) > 0:
		return nil, nil, hint.With(fmt.Errorf("the CSR is followed by other text: %.20q", a.tail), "openssl req -in %s -out NEW leaves it out", name)
	}
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return nil, nil, broken(block, name, kindCSR, err)
	}
	return csr, a.bomNote("genbotcert, which signs, crashes on it"), nil
}

func parseCertificate(data []byte, name string) (*x509.Certificate, []Note, error) {
	a, err := open(data, name, kindCertificate)
	if err != nil {
		return nil, nil, err
	}
	block, first := a.find(func(k kind) bool { return k == kindCertificate })
	switch {
	case block == nil:
		return nil, nil, wrong(kindOf(a.blocks[0]), name, kindCertificate)
	case block.Type != "CERTIFICATE":
		return nil, nil, hint.With(fmt.Errorf("the certificate is labelled %q, not %q", block.Type, "CERTIFICATE"), "openssl x509 -in %s -out NEW", name)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, nil, broken(block, name, kindCertificate, err)
	}
	return cert, a.tokendNotes(first, "not a valid certificate PEM", fmt.Sprintf("openssl x509 -in %s -out NEW keeps the first certificate alone", name)), nil
}

func parseKey(data []byte, name string) (crypto.Signer, []Note, error) {
	a, err := open(data, name, kindRSAKey)
	if err != nil {
		return nil, nil, err
	}
	block, first := a.find(kind.isKey)
	if block == nil {
		return nil, nil, wrong(kindOf(a.blocks[0]), name, kindRSAKey)
	}
	k := kindOf(block)
	if k == kindEncryptedKey || k == kindOpenSSHKey {
		return nil, nil, wrong(k, name, kindRSAKey)
	}
	key, err := parseKeyBlock(k, block.Bytes)
	if err != nil {
		return nil, nil, broken(block, name, k, err)
	}
	rewrite := fmt.Sprintf("openssl pkey -traditional -in %s -out NEW, then chmod 600 NEW", name)
	notes := a.tokendNotes(first, "not a valid private key PEM", rewrite)
	switch _, isRSA := key.(*rsa.PrivateKey); {
	case !isRSA:
		notes = []Note{{"it is an EC key, which luci_machine_tokend and LUCI's token server refuse",
			"make an RSA key with gobuild csr; EC keys are for farms with a token server of their own"}}
	case k == kindPKCS8Key:
		notes = append(notes, Note{"it is in PKCS#8 form (BEGIN PRIVATE KEY), and luci_machine_tokend wants PKCS#1 (BEGIN RSA PRIVATE KEY)", rewrite})
	}
	return key, notes, nil
}

func parseKeyBlock(k kind, der []byte) (crypto.Signer, error) {
	var key any
	var err error
	switch k {
	case kindRSAKey:
		key, err = x509.ParsePKCS1PrivateKey(der)
	case kindECKey:
		key, err = x509.ParseECPrivateKey(der)
	default:
		key, err = x509.ParsePKCS8PrivateKey(der)
	}
	if err != nil {
		return nil, err
	}
	switch key := key.(type) {
	case *rsa.PrivateKey:
		return key, nil
	case *ecdsa.PrivateKey:
		return key, nil
	}
	return nil, errors.New("it is neither an RSA nor an ECDSA key")
}

// find returns the first block that is wanted, and whether it is the first of
// all.
func (a *armour) find(wanted func(kind) bool) (block *pem.Block, first bool) {
	for i, block := range a.blocks {
		if wanted(kindOf(block)) {
			return block, i == 0
		}
	}
	return nil, false
}

// broken says that a block with the right label cannot be read, or that its
// label lies.
func broken(block *pem.Block, name string, want kind, err error) error {
	if k := kindOfDER(block.Bytes); k != "" && !sameUse(k, want) {
		return hint.With(fmt.Errorf("the PEM block is labelled %q, but holds %s", block.Type, k), "%s", wrongHint(k, name, want))
	}
	advice := "the file is damaged: copy it again, or make it again"
	if want == kindCertificate {
		advice = serverAnswers + "BAD_CERTIFICATE_FORMAT (4); copy the certificate again, or ask the farm's team for it"
	}
	return hint.With(fmt.Errorf("the PEM block labelled %q cannot be read: %w", block.Type, err), "%s", advice)
}

func (a *armour) bomNote(who string) []Note {
	if !a.bom {
		return nil
	}
	return []Note{{"it begins with a byte order mark (UTF-8 BOM); " + who, fmt.Sprintf("leave it out: tail -c +4 %s > NEW", a.name)}}
}

// tokendNotes returns what luci_machine_tokend refuses about the file: it
// wants one block, the first, and not a byte behind it (LUCI protocol, section
// 7.3). says is what it then logs.
func (a *armour) tokendNotes(first bool, says, mend string) []Note {
	refuses := fmt.Sprintf(", which luci_machine_tokend refuses: %q", says)
	notes := a.bomNote("luci_machine_tokend refuses it: " + strconv.Quote(says))
	switch {
	case !first:
		notes = append(notes, Note{fmt.Sprintf("%s comes first in it%s", kindOf(a.blocks[0]), refuses), mend})
	case len(a.blocks) > 1 && kindOf(a.blocks[0]) == kindCertificate && kindOf(a.blocks[1]) == kindCertificate:
		notes = append(notes, Note{fmt.Sprintf("it holds a chain of %d certificates%s", len(a.blocks), refuses), mend})
	case len(a.blocks) > 1:
		notes = append(notes, Note{fmt.Sprintf("it holds %s besides%s", kindOf(a.blocks[1]), refuses), mend})
	case len(a.tail) > 0:
		notes = append(notes, Note{"other text follows the PEM block" + refuses, mend})
	case len(a.rest) > 0:
		notes = append(notes, Note{fmt.Sprintf("white space, such as a blank line, follows the PEM block%s", refuses), mend})
	}
	return notes
}
