package botcert

import (
	"context"
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gobuild/pkg/ports"
)

// host is testHost, taken apart.
func host(t *testing.T) Host {
	t.Helper()
	h, err := CheckHost(testHost, false)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// TestCreate goes through the life of a host's files.
func TestCreate(t *testing.T) {
	dir := t.TempDir()
	opts := CreateOptions{Host: host(t), Dir: dir, Now: now}
	made, err := Create(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	if made.Hostname != testHost || made.FQDN != FQDN(testHost) || made.Reused || made.Kept != nil {
		t.Errorf("made %+v", made)
	}
	want := []string{testHost + ".csr", testHost + ".csr.txt", testHost + ".key"}
	names(t, dir, want...)
	for _, name := range want {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode() != 0o600 {
			t.Errorf("%s: %v, %v; want mode 0600", name, info.Mode(), err)
		}
	}
	key, notes, err := ReadKey(made.Key)
	if err != nil || notes != nil {
		t.Fatal(err, notes)
	}
	csr, notes, err := ReadCSR(made.CSR)
	if err != nil || notes != nil {
		t.Fatal(err, notes)
	}
	if err := Match(csr.PublicKey, key); err != nil {
		t.Error(err)
	}
	if err := CheckCSR(csr, testHost, false); err != nil {
		t.Error(err)
	}
	if got := keyText(key.Public()); got != "RSA, 4096 bits" {
		t.Errorf("the key is %s", got)
	}
	if Fingerprint(key.Public()) != made.Fingerprint {
		t.Error("the fingerprint is another key's")
	}
	first := contents(t, dir)
	if first[testHost+".csr"] != first[testHost+".csr.txt"] {
		t.Error("the two CSR files differ")
	}

	// A second time nothing is touched.
	_, err = Create(t.Context(), opts)
	wantError(t, err, "already there: "+made.Key+", "+made.CSR+", "+made.Text, "--reuse-key")
	same(t, dir, first)

	// From the key that is there the very same CSR is made, again and again.
	opts.ReuseKey = true
	for _, remove := range []string{"", made.CSR, made.Text} {
		os.Remove(remove)
		again, err := Create(t.Context(), opts)
		if err != nil || !again.Reused || again.Fingerprint != made.Fingerprint {
			t.Errorf("reuse: %+v, %v", again, err)
		}
		same(t, dir, first)
	}

	// What luci_machine_tokend would say of the key is passed on.
	old := contents(t, dir)[testHost+".key"]
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, testHost+".key", pemText("PRIVATE KEY", pkcs8))
	if again, err := Create(t.Context(), opts); err != nil || len(again.Notes) != 1 || !strings.Contains(again.Notes[0].Text, "PKCS#8") {
		t.Errorf("reuse of a PKCS#8 key: %+v, %v", again, err)
	}
	write(t, dir, testHost+".key", []byte(old))

	// A CSR of another key is in the way, unless it may be moved aside.
	write(t, dir, testHost+".csr", []byte("another"))
	_, err = Create(t.Context(), opts)
	wantError(t, err, "already there", "not the one of this key")
	opts.Force = true
	forced, err := Create(t.Context(), opts)
	aside := testHost + ".csr.old-20261124-120000"
	if err != nil || !slices.Equal(forced.Kept, []string{filepath.Join(dir, aside)}) {
		t.Errorf("kept %v, %v", forced.Kept, err)
	}
	second := contents(t, dir)
	if second[aside] != "another" || second[testHost+".csr"] != first[testHost+".csr"] || second[testHost+".key"] != first[testHost+".key"] {
		t.Error("the files are not as they should be")
	}

	// A new beginning keeps all three, and never over an older one's.
	opts.ReuseKey = false
	forced, err = Create(t.Context(), opts)
	if err != nil || len(forced.Kept) != 3 {
		t.Fatalf("kept %v, %v", forced.Kept, err)
	}
	third := contents(t, dir)
	if third[testHost+".key.old-20261124-120000"] != first[testHost+".key"] || third[aside] != "another" || third[aside+"-2"] != first[testHost+".csr"] {
		t.Errorf("not kept: %v", forced.Kept)
	}
	if third[testHost+".key"] == first[testHost+".key"] {
		t.Error("no new key")
	}
}

// Wherever writing fails, everything is as it was before.
func TestWriteAllOrNothing(t *testing.T) {
	for _, aside := range []bool{false, true} {
		for blocked := range 3 {
			dir := t.TempDir()
			var files []newFile
			for i, name := range []string{"a", "b", "c"} {
				file := newFile{filepath.Join(dir, name), []byte("new " + name)}
				if i == blocked {
					// Its directory is missing.
					file.path = filepath.Join(dir, "none", name)
				} else if aside {
					write(t, dir, name, []byte("old "+name))
				}
				files = append(files, file)
			}
			before := contents(t, dir)
			if _, err := writeAll(files, aside, now); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("error %v", err)
			}
			same(t, dir, before)
		}
	}
}

// Another program's file that appears meanwhile wins.
func TestWriteAllFindsTheWayBlocked(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "b", []byte("old"))
	before := contents(t, dir)
	_, err := writeAll([]newFile{{filepath.Join(dir, "a"), []byte("a")}, {filepath.Join(dir, "b"), []byte("b")}}, false, now)
	if !errors.Is(err, fs.ErrExist) {
		t.Errorf("error %v, want fs.ErrExist", err)
	}
	same(t, dir, before)
}

func TestCreateRefuses(t *testing.T) {
	files := samples(t)
	reuse := func(key []byte) func(t *testing.T, opts *CreateOptions) {
		return func(t *testing.T, opts *CreateOptions) {
			opts.ReuseKey = true
			if key != nil {
				write(t, opts.Dir, testHost+".key", key)
			}
		}
	}
	for _, tt := range []struct {
		name    string
		prepare func(t *testing.T, opts *CreateOptions)
		err     string
		hint    string
	}{
		{"key to reuse missing", reuse(nil), "no key to reuse", "leave out --reuse-key"},
		{"key to reuse encrypted", reuse(files["legacy"]), "is an encrypted private key", "openssl"},
		{"key to reuse small", reuse(keyPEM(smallKey())), "is RSA, 1024 bits, wanted RSA, 2048 bits at least", "--force"},
		{"key to reuse EC", reuse(files["ec"]), "is ECDSA, P-256, wanted RSA", "--force"},
		{"CSR without its key", func(t *testing.T, opts *CreateOptions) { write(t, opts.Dir, testHost+".csr", nil) }, "already there", "look for it first"},
		{"no directory", func(t *testing.T, opts *CreateOptions) { opts.Dir = filepath.Join(opts.Dir, "none") }, "write into", "has to be there"},
		{"dangling link for a key", func(t *testing.T, opts *CreateOptions) {
			if err := os.Symlink("elsewhere", filepath.Join(opts.Dir, testHost+".key")); err != nil {
				t.Fatal(err)
			}
		}, "already there", "--reuse-key"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			opts := CreateOptions{Host: host(t), Dir: t.TempDir(), Now: now}
			tt.prepare(t, &opts)
			before, _ := os.ReadDir(opts.Dir)
			_, err := Create(t.Context(), opts)
			wantError(t, err, tt.err, tt.hint)
			if after, _ := os.ReadDir(opts.Dir); len(after) != len(before) {
				t.Errorf("left behind: %v", after)
			}
		})
	}
}

// A person who interrupts does not wait for the key.
func TestCreateInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := t.TempDir()
	if _, err := Create(ctx, CreateOptions{Host: Host{testHost, ports.Port{}, ""}, Dir: dir, Now: now}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	names(t, dir)
}

// contents returns what is in the files of dir.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		texts[e.Name()] = string(text)
	}
	return texts
}

// same fails the test unless dir holds just what it did.
func same(t *testing.T, dir string, before map[string]string) {
	t.Helper()
	after := contents(t, dir)
	for name, text := range before {
		if after[name] != text {
			t.Errorf("%s has changed or gone", name)
		}
		delete(after, name)
	}
	for name := range after {
		t.Errorf("%s was left behind", name)
	}
}

// names fails the test unless dir holds just these files.
func names(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("files %v, want %v", got, want)
	}
}
