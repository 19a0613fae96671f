package botcert

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gobuild/pkg/hint"
)

// now is the time of all tests whose certificates no other program judges.
var now = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

const testHost = "linux-riscv64-gopher"

// Keys are made once, as that takes time. RSA keys of 2048 bits do as well as
// larger ones where the size is not what is tested.
var (
	testKey  = sync.OnceValue(func() *rsa.PrivateKey { return newKey(2048) })
	otherKey = sync.OnceValue(func() *rsa.PrivateKey { return newKey(2048) })
	smallKey = sync.OnceValue(func() *rsa.PrivateKey { return newKey(1024) })
	ecKey    = sync.OnceValue(func() *ecdsa.PrivateKey {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			panic(err)
		}
		return key
	})
)

func newKey(bits int) *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	return key
}

// testCA is a CA of each kind whose directory is the test's.
func testCA(t *testing.T, key crypto.Signer, opts CAOptions) *CA {
	t.Helper()
	if opts.Lifetime == 0 {
		opts.Lifetime = 20 * 365 * day
	}
	if opts.Now.IsZero() {
		opts.Now = now
	}
	if opts.Name == "" {
		opts.Name = "Test CA"
	}
	ca := &CA{dir: t.TempDir(), key: key}
	if err := ca.init(opts); err != nil {
		t.Fatal(err)
	}
	return ca
}

// testCSR is our CSR for host, parsed.
func testCSR(t *testing.T, host string, key crypto.Signer) *x509.CertificateRequest {
	t.Helper()
	text, err := newCSR(host, key)
	if err != nil {
		t.Fatal(err)
	}
	csr, notes, err := ParseCSR(text)
	if err != nil || len(notes) > 0 {
		t.Fatal(err, notes)
	}
	return csr
}

// signed is a certificate of ca for host, in PEM.
func signed(t *testing.T, ca *CA, host string, key crypto.Signer) []byte {
	t.Helper()
	_, text, err := ca.Sign(testCSR(t, host, key), host, SignOptions{Lifetime: 3650 * day, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func pemText(label string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der})
}

// openssl runs openssl in dir, which has to succeed, and returns what it says.
func openssl(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "openssl", args...)
	cmd.Dir = dir
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Fatalf("openssl %s: %v\n%s", strings.Join(args, " "), err, out.String())
	}
	return out.String()
}

func write(t *testing.T, dir, name string, data []byte) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// wantError checks an error's text and hint for what they have to hold.
func wantError(t *testing.T, err error, text, advice string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), text) || !strings.Contains(hint.Of(err), advice) {
		t.Errorf("error %v, hint %q; want %q and %q", err, hint.Of(err), text, advice)
	}
}

// failing runs openssl in dir, which has to fail, and returns what it says.
func failing(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "openssl", args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err == nil {
		t.Errorf("openssl %s did not fail", strings.Join(args, " "))
	}
	return string(out)
}

// shell runs a command line in dir, which has to succeed.
func shell(t *testing.T, dir, line string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", line)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", line, err, out)
	}
}

// said joins an error or notes into text and hint.
func said(notes []Note, err error) (text, advice string) {
	if err != nil {
		return err.Error(), hint.Of(err)
	}
	for _, n := range notes {
		text, advice = text+n.Text, advice+n.Hint
	}
	return text, advice
}
