package machinetoken

import (
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"

	"gobuild/pkg/botcert"
	"gobuild/pkg/hint"
)

// Note is something about a run that worked all the same, and what to do about
// it.
type Note = botcert.Note

// maxPEM bounds a key's and a certificate's file, in bytes.
const maxPEM = 1 << 20

// inputs is what a token is asked for with.
type inputs struct {
	cert   *x509.Certificate
	key    *rsa.PrivateKey
	digest string // the InputsDigest
	notes  []Note // what luci_machine_tokend refuses about the files
}

// readInputs reads certificate and key. The errors name the file and hold
// nothing of the key.
func readInputs(backend, certFile, keyFile string) (inputs, error) {
	in := inputs{}
	// The raw bytes first: if a file is replaced in between, the digest is an
	// old one and the next run asks again.
	rawCert, err := readRegular(certFile)
	if err != nil {
		return in, fmt.Errorf("certificate: %w", err)
	}
	rawKey, err := readRegular(keyFile)
	if err != nil {
		return in, fmt.Errorf("private key: %w", err)
	}
	in.digest = inputsDigest(backend, rawCert, rawKey)
	cert, notes, err := botcert.ReadCertificate(certFile)
	if err != nil {
		return in, fmt.Errorf("certificate: %w", err)
	}
	in.addNotes(certFile, notes)
	signer, notes, err := botcert.ReadKey(keyFile)
	if err != nil {
		return in, fmt.Errorf("private key: %w", err)
	}
	in.addNotes(keyFile, notes)
	key, ok := signer.(*rsa.PrivateKey)
	if !ok {
		return in, hint.With(fmt.Errorf("private key: %s: it is no RSA key, and token servers take no others", keyFile),
			"make one with: gobuild csr HOSTNAME, and send the CSR to the farm's team")
	}
	if !key.PublicKey.Equal(cert.PublicKey) {
		return in, hint.With(fmt.Errorf("the private key in %s is not that of the certificate in %s", keyFile, certFile),
			"a certificate works only with the key that its CSR was made with; gobuild csr check %s --key %s shows both", certFile, keyFile)
	}
	in.noteMode(keyFile)
	in.cert, in.key = cert, key
	return in, nil
}

func (in *inputs) addNotes(file string, notes []Note) {
	for _, note := range notes {
		in.notes = append(in.notes, Note{Text: file + ": " + note.Text, Hint: note.Hint})
	}
}

// noteMode remarks on a key that others can read: tasks of the bot must not.
func (in *inputs) noteMode(file string) {
	info, err := os.Stat(file)
	if err != nil || runtime.GOOS == "windows" || runtime.GOOS == "plan9" || info.Mode().Perm()&0o077 == 0 {
		return
	}
	in.notes = append(in.notes, Note{
		Text: fmt.Sprintf("%s: others than its owner can use the private key (mode %04o)", file, info.Mode().Perm()),
		Hint: "chmod 600 " + file,
	})
}

// readRegular reads a file that can be read again: a run reads key and
// certificate more than once.
func readRegular(file string) ([]byte, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, advise(err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", file)
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, advise(err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxPEM+1))
	if err == nil && len(data) > maxPEM {
		err = fmt.Errorf("%s is longer than %d bytes", file, maxPEM)
	}
	return data, err
}

func advise(err error) error {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return hint.With(err, "run it as the user who owns the file, mostly root; the bot's user must not be able to read the key")
	case errors.Is(err, fs.ErrNotExist):
		return hint.With(err, "gobuild csr HOSTNAME makes a key; the certificate comes from the farm's team")
	}
	return err
}

// inputsDigest returns the digest by which luci_machine_tokend finds out that
// it is called with other files than the ones a token was made with (LUCI
// protocol, section 7.4).
func inputsDigest(backend string, cert, key []byte) string {
	h := sha1.New()
	for _, part := range []struct {
		name  string
		value []byte
	}{
		{"backend", []byte(backend)},
		{"cert", cert},
		{"forceBump", []byte{1}},
		{"pkey", key},
	} {
		fmt.Fprintf(h, "%s\n%d\n", part.name, len(part.value))
		h.Write(part.value)
	}
	return hex.EncodeToString(h.Sum(nil))
}
