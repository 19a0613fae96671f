package release

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"aead.dev/minisign"

	"gobuild/pkg/hint"
)

// newKey returns a fresh key.
func newKey(t testing.TB) PrivateKey {
	t.Helper()
	key, err := GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// sign returns the signature of content.
func sign(t testing.TB, key PrivateKey, content string, i Info) []byte {
	t.Helper()
	text, err := Sign(strings.NewReader(content), key, i)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

var (
	signedAt = time.Unix(1_790_000_000, 0).UTC()
	someInfo = Info{File: "buildlet.linux-amd64", Version: "1.2.3", Signed: signedAt}
)

func TestSignAndVerify(t *testing.T) {
	key, other := newKey(t), newKey(t)
	text := sign(t, key, "content", someInfo)
	s, err := Open(text, []PublicKey{other.Public(), key.Public()})
	if err != nil {
		t.Fatal(err)
	}
	if s.Info != someInfo || s.Key().String() != key.Public().String() {
		t.Errorf("the signature says %+v by %s", s.Info, s.Key())
	}
	if err := s.Verify(strings.NewReader("content")); err != nil {
		t.Error(err)
	}
	for _, content := range []string{"", "Content", "content ", "conten"} {
		if err := s.Verify(strings.NewReader(content)); !errors.Is(err, ErrForged) {
			t.Errorf("%q passed as what was signed: %v", content, err)
		}
	}
	if _, err := Open(text, []PublicKey{other.Public()}); !errors.Is(err, ErrOtherKey) {
		t.Errorf("another key: %v", err)
	}
	if _, err := Open(text, nil); !errors.Is(err, ErrOtherKey) {
		t.Errorf("no key: %v", err)
	}
}

// Whatever is changed in a signature file, but its untrusted comment, is found
// out: before the content is known, or with it.
func TestChangedSignature(t *testing.T) {
	key := newKey(t)
	text := sign(t, key, "content", someInfo)
	keys := []PublicKey{key.Public()}
	start := bytes.IndexByte(text, '\n') + 1
	for i := start; i < len(text)-1; i++ {
		for _, bit := range []byte{1, 4} {
			changed := bytes.Clone(text)
			changed[i] ^= bit
			var was, is minisign.Signature
			if was.UnmarshalText(text) == nil && is.UnmarshalText(changed) == nil && was.Equal(is) {
				continue // base64 leaves some bits of a last letter unused
			}
			s, err := Open(changed, keys)
			if err == nil {
				err = s.Verify(strings.NewReader("content"))
			}
			if err == nil {
				t.Errorf("byte %d %q → %q is not noticed:\n%s", i, text[i], changed[i], changed)
			}
		}
	}
	// A newer time cannot be written over an old signature.
	newer := bytes.Replace(text, []byte("timestamp:1790000000"), []byte("timestamp:1799999999"), 1)
	if _, err := Open(newer, keys); !errors.Is(err, ErrForged) {
		t.Errorf("a changed time: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	keys := []PublicKey{newKey(t).Public()}
	for name, text := range map[string]string{
		"empty":   "",
		"HTML":    "<html>\n<body>\nnot found\n</body>\n",
		"long":    strings.Repeat("x", MaxSignature+1),
		"comment": "untrusted comment: x\n",
	} {
		if _, err := Open([]byte(text), keys); err == nil || hint.Of(err) == "" {
			t.Errorf("%s: error %v, hint %q", name, err, hint.Of(err))
		}
	}
}

func TestSignRefuses(t *testing.T) {
	key := newKey(t)
	for _, i := range []Info{
		{},
		{File: "f"},
		{Signed: signedAt},
		{File: "a\tb", Signed: signedAt},
		{File: "a\nb", Signed: signedAt},
		{File: "f", Version: "1\n2", Signed: signedAt},
		{File: strings.Repeat("f", 201), Signed: signedAt},
	} {
		if _, err := Sign(strings.NewReader(""), key, i); err == nil {
			t.Errorf("signed %+v", i)
		}
	}
}

func TestKeyFiles(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "release.key")
	key := newKey(t)
	if err := key.Write(file, ""); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || runtime.GOOS != "windows" && info.Mode() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	back, err := ReadPrivateKey(file, nil)
	if err != nil || back.Public().String() != key.Public().String() {
		t.Errorf("read back %v, %v", back.Public(), err)
	}
	for _, arg := range []string{file + ".pub", key.Public().String(), " " + key.Public().String() + "\r\n"} {
		if k, err := PublicKeyOf(arg); err != nil || k.String() != key.Public().String() || k.IsZero() {
			t.Errorf("PublicKeyOf(%q) = %v, %v", arg, k, err)
		}
	}
	for _, arg := range []string{"", filepath.Join(dir, "none"), file, "RWQ", key.Public().String()[:50], dir} {
		if k, err := PublicKeyOf(arg); err == nil || hint.Of(err) == "" {
			t.Errorf("PublicKeyOf(%q) = %v, %v, hint %q", arg, k, err, hint.Of(err))
		}
	}
	// Neither half of a pair is overwritten.
	for _, name := range []string{file, file + ".pub"} {
		before, _ := os.ReadFile(name)
		if err := newKey(t).Write(file, ""); err == nil || hint.Of(err) == "" {
			t.Errorf("overwritten: %v", err)
		}
		if after, _ := os.ReadFile(name); !bytes.Equal(before, after) {
			t.Errorf("%s has changed", name)
		}
		os.Remove(file)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("a secret key was written beside another's public key")
	}
	for _, name := range []string{file + ".pub", dir, filepath.Join(dir, "none")} {
		if _, err := ReadPrivateKey(name, nil); err == nil || hint.Of(err) == "" {
			t.Errorf("ReadPrivateKey(%s): %v, hint %q", name, err, hint.Of(err))
		}
	}
}

func TestParseDigest(t *testing.T) {
	const sum = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	for _, tt := range []struct{ text, want, err string }{
		{text: DigestLine(sum, "f"), want: sum},
		{text: sum, want: sum},
		{text: strings.ToUpper(sum) + "\r\n", want: sum},
		{text: sum + " *f\n", want: sum},
		{text: strings.Repeat("0", 64) + "  g\n" + sum + "  f\n", want: sum},
		{text: sum + "  g\n", err: `digest of "g", not of f`},
		{text: "", err: "empty"},
		{text: "\n\n", err: "empty"},
		{text: sum[1:] + "  f", err: "no line of sha256sum's"},
		{text: "<html>", err: "no line of sha256sum's"},
		{text: strings.Repeat(" ", MaxDigestFile+1), err: "too long"},
	} {
		got, err := ParseDigest(tt.text, "f")
		if got != tt.want || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("ParseDigest(%.100q) = %q, %v; want %q, %q", tt.text, got, err, tt.want, tt.err)
		}
	}
}

func FuzzOpen(f *testing.F) {
	key := newKey(f)
	keys := []PublicKey{key.Public()}
	good := sign(f, key, "content", someInfo)
	f.Add(good)
	f.Add([]byte("untrusted comment: \n\ntrusted comment: \n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := Open(text, keys)
		if err != nil {
			return
		}
		// Nobody can make a comment without the key.
		if s.Info != someInfo {
			t.Errorf("a signature that says %+v passed:\n%s", s.Info, text)
		}
		if s.Verify(strings.NewReader("Content")) == nil {
			t.Errorf("it passed for another content:\n%s", text)
		}
	})
}

func FuzzParseDigest(f *testing.F) {
	f.Add("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  f\n", "f")
	f.Fuzz(func(t *testing.T, text, name string) {
		if digest, err := ParseDigest(text, name); err == nil && (len(digest) != 64 || !strings.Contains(strings.ToLower(text), digest)) {
			t.Errorf("ParseDigest(%q) = %q", text, digest)
		}
	})
}
