package release

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// runMinisign runs the real program, the judge of the format.
func runMinisign(t *testing.T, stdin string, args ...string) (string, error) {
	t.Helper()
	program, err := exec.LookPath("minisign")
	if err != nil {
		t.Skip("minisign is not there; .ci/deps installs it")
	}
	cmd := exec.Command(program, args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// write writes a file into dir and returns its name.
func write(t *testing.T, dir, name string, data []byte) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// The minisign program takes our signatures, and no others.
func TestMinisignVerifies(t *testing.T) {
	dir := t.TempDir()
	key := newKey(t)
	if err := key.Write(filepath.Join(dir, "k"), ""); err != nil {
		t.Fatal(err)
	}
	content := strings.Repeat("content", 100_000)
	file := write(t, dir, "buildlet.linux-amd64", []byte(content))
	sig := write(t, dir, "buildlet.linux-amd64.sig", sign(t, key, content, someInfo))
	for _, pub := range [][]string{{"-p", filepath.Join(dir, "k.pub")}, {"-P", key.Public().String()}} {
		out, err := runMinisign(t, "", append([]string{"-V", "-H", "-m", file, "-x", sig}, pub...)...)
		if err != nil || !strings.Contains(out, "version:1.2.3") {
			t.Errorf("minisign %v: %v\n%s", pub, err, out)
		}
	}
	changed := bytes.Replace(sign(t, key, content, someInfo), []byte("version:1.2.3"), []byte("version:1.2.4"), 1)
	write(t, dir, "buildlet.linux-amd64.sig", changed)
	if out, err := runMinisign(t, "", "-V", "-m", file, "-x", sig, "-P", key.Public().String()); err == nil {
		t.Errorf("minisign takes a changed version:\n%s", out)
	}
}

// We take the minisign program's keys and signatures.
func TestMinisignSigns(t *testing.T) {
	dir := t.TempDir()
	pub, sec := filepath.Join(dir, "m.pub"), filepath.Join(dir, "m.key")
	if out, err := runMinisign(t, "", "-G", "-W", "-p", pub, "-s", sec); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	file := write(t, dir, "buildlet.linux-amd64", []byte("content"))
	sig := file + ".sig"
	if out, err := runMinisign(t, "", "-S", "-W", "-s", sec, "-m", file, "-x", sig); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	key, err := PublicKeyOf(pub)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(sig)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(text, []PublicKey{key})
	if err != nil {
		t.Fatal(err)
	}
	if s.File != "buildlet.linux-amd64" || s.Signed.IsZero() || s.Version != "" {
		t.Errorf("minisign's comment reads as %+v", s.Info)
	}
	if err := s.Verify(strings.NewReader("content")); err != nil {
		t.Error(err)
	}
	// The old kind, which keeps the whole file in memory, is not taken.
	if out, err := runMinisign(t, "", "-S", "-l", "-W", "-s", sec, "-m", file, "-x", sig); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if text, err = os.ReadFile(sig); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(text, []PublicKey{key}); err == nil || !strings.Contains(err.Error(), "old kind") {
		t.Errorf("the old kind: %v", err)
	}
	// Each side signs with the other's secret key.
	private, err := ReadPrivateKey(sec, nil)
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "buildlet.linux-amd64.sig", sign(t, private, "content", someInfo))
	if out, err := runMinisign(t, "", "-V", "-m", file, "-x", sig, "-p", pub); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	ours := filepath.Join(dir, "k")
	if err := newKey(t).Write(ours, ""); err != nil {
		t.Fatal(err)
	}
	if out, err := runMinisign(t, "", "-S", "-W", "-s", ours, "-m", file, "-x", sig); err != nil {
		t.Errorf("minisign does not sign with our key: %v\n%s", err, out)
	}
	if out, err := runMinisign(t, "", "-V", "-m", file, "-x", sig, "-p", ours+".pub"); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
