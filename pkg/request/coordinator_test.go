package request

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gobuild/pkg/api"
	"gobuild/pkg/hint"
)

// newKey returns a key, and a file with it.
func newKey(t *testing.T) (*rsa.PrivateKey, string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "linux-riscv64-joe.key")
	block := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	if err := os.WriteFile(file, block, 0o600); err != nil {
		t.Fatal(err)
	}
	return key, file
}

func TestForCoordinator(t *testing.T) {
	opts := good()
	opts.Notes = "A board."
	d, err := New(opts)
	if err == nil {
		err = d.AddReport(goodReport)
	}
	if err != nil {
		t.Fatal(err)
	}
	r, err := d.ForCoordinator("host-linux-riscv64")
	if err != nil {
		t.Fatal(err)
	}
	csr, err := os.ReadFile(opts.CSRFile)
	if err != nil {
		t.Fatal(err)
	}
	want := api.NewRequest{
		Hostname: "linux-riscv64-joe", Port: "linux-riscv64", HostType: "host-linux-riscv64", Contact: "joe@example.org", CSR: string(csr),
		Report: "Notes of the owner:\nA board.\n\nok    memory  16 GiB\nwarn  disk    18 GiB free, wanted 20",
	}
	if r != want {
		t.Errorf("%+v\nwant %+v", r, want)
	}
	opts.CSRFile = ""
	t.Chdir(t.TempDir())
	if d, err = New(opts); err != nil {
		t.Fatal(err)
	}
	if _, err := d.ForCoordinator(""); err == nil || !strings.Contains(hint.Of(err), "gobuild csr") {
		t.Errorf("without CSR: %v", err)
	}
	if _, err := d.Key(""); err == nil || !strings.Contains(hint.Of(err), "gobuild csr") {
		t.Errorf("key without CSR: %v", err)
	}
}

// The largest request is one that a coordinator takes.
func TestLargestForCoordinator(t *testing.T) {
	opts := good()
	opts.Notes = strings.Repeat("é", maxNotes/2)
	d, err := New(opts)
	if err == nil {
		err = d.AddReport(strings.Repeat("ok    \"quoted\" <line>\n", 10000))
	}
	if err != nil {
		t.Fatal(err)
	}
	r, err := d.ForCoordinator("")
	if err != nil || len(r.Report) > 32<<10 {
		t.Errorf("report of %d bytes, %v", len(r.Report), err)
	}
}

func TestKey(t *testing.T) {
	_, stranger := newKey(t)
	key, file := newKey(t)
	opts := good()
	opts.CSRFile = bot(t, opts.Hostname, key)
	d, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Key(""); err == nil || !strings.Contains(hint.Of(err), "--key") {
		t.Errorf("no key: %v, hint %q", err, hint.Of(err))
	}
	if _, err := d.Key(stranger); err == nil || !strings.Contains(err.Error(), "another") {
		t.Errorf("another's key: %v", err)
	}
	if got, err := d.Key(file); err != nil || !key.Equal(got) {
		t.Errorf("named: %v", err)
	}
	// Beside the CSR, and for a status here.
	dir := filepath.Dir(d.CSRFile)
	if err := os.Rename(file, filepath.Join(dir, "linux-riscv64-joe.key")); err != nil {
		t.Fatal(err)
	}
	if got, err := d.Key(""); err != nil || !key.Equal(got) {
		t.Errorf("beside the CSR: %v", err)
	}
	t.Chdir(dir)
	if got, err := ReadKey("", "linux-riscv64-joe.2"); err != nil || !key.Equal(got) {
		t.Errorf("by ID: %v", err)
	}
	for _, id := range []string{"", "7", "../../etc/passwd", "linux-riscv64"} {
		if _, err := ReadKey("", id); err == nil || !strings.Contains(err.Error(), "no request") {
			t.Errorf("ID %q: %v", id, err)
		}
	}
}

func TestSaveGranted(t *testing.T) {
	key, _ := newKey(t)
	other, _ := newKey(t)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	r := api.Request{
		ID: "linux-riscv64-joe.1", Hostname: "linux-riscv64-joe", HostType: "host-linux-riscv64", BuilderKey: "4d8129e2963df29b29cab65e108397d1",
		Certificate: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
	}
	dir := t.TempDir()
	for range 2 { // again does no harm
		files, err := SaveGranted(r, key, dir)
		if err != nil || len(files) != 2 {
			t.Fatalf("%q, %v", files, err)
		}
		for i, want := range []struct {
			name, text string
			mode       fs.FileMode
		}{{"linux-riscv64-joe.cert", r.Certificate, 0o644}, {"host-linux-riscv64.key", r.BuilderKey + "\n", 0o600}} {
			text, err := os.ReadFile(files[i])
			info, _ := os.Stat(files[i])
			if files[i] != filepath.Join(dir, want.name) || err != nil || string(text) != want.text || info.Mode() != want.mode {
				t.Errorf("%s: %q, %v, %v", files[i], text, info.Mode(), err)
			}
		}
	}
	if _, err := SaveGranted(r, other, t.TempDir()); err == nil {
		t.Error("another's certificate was written")
	}
	r.BuilderKey = "00000000000000000000000000000000"
	_, err = SaveGranted(r, key, dir)
	if err == nil || !strings.Contains(err.Error(), "something else") || strings.Contains(err.Error()+hint.Of(err), r.BuilderKey) {
		t.Errorf("over another key: %v", err)
	}
	// A coordinator does not choose where files go.
	r.Hostname, r.HostType = "../evil", "../../evil"
	files, err := SaveGranted(r, key, dir)
	if err != nil || filepath.Dir(files[0]) != dir || filepath.Dir(files[1]) != dir {
		t.Errorf("%q, %v", files, err)
	}
}
