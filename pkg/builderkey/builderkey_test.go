package builderkey

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"gobuild/pkg/hint"
)

// The vectors of the build protocol, section 1, made by upstream's program.
func TestKeyVectors(t *testing.T) {
	for principal, want := range map[string]string{
		"host-linux-amd64-localdev": "4d8129e2963df29b29cab65e108397d1",
		"user-joe":                  "e5ba3af493802d6bce3ca159476e9d15",
	} {
		if got := DevMaster().Key(principal); got != want {
			t.Errorf("Key(%q) = %s, want %s", principal, got, want)
		}
	}
}

func TestVerify(t *testing.T) {
	m := DevMaster()
	good := m.Key("host-linux-s390x")
	for _, tt := range []struct {
		key  string
		want bool
	}{
		{good, true},
		{"", false},
		{good[:31], false},
		{good + "0", false},
		{strings.ToUpper(good), false},
		{good + "\n", false},
		{m.Key("host-linux-s390"), false},
	} {
		if got := m.Verify("host-linux-s390x", tt.key); got != tt.want {
			t.Errorf("Verify(%q) = %v, want %v", tt.key, got, tt.want)
		}
	}
}

// Neither a master key nor a key that was found gets into a text or a log.
func TestKeysNeverPrint(t *testing.T) {
	const secret = "very secret"
	m, err := NewMaster([]byte(" " + secret + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []any{m, &m, Found{Key: secret, File: "f"}, &Found{Key: secret}} {
		for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			s := fmt.Sprintf(format, v)
			for _, leak := range []string{secret, fmt.Sprintf("%x", secret), fmt.Sprintf("%X", secret), "118 101 114 121"} {
				if strings.Contains(s, leak) {
					t.Errorf("%s of a %T prints the key: %s", format, v, s)
				}
			}
		}
		var text, object strings.Builder
		slog.New(slog.NewTextHandler(&text, nil)).Info("x", "key", v)
		slog.New(slog.NewJSONHandler(&object, nil)).Info("x", "key", v)
		if strings.Contains(text.String()+object.String(), secret) {
			t.Errorf("a %T logs the key: %s%s", v, text.String(), object.String())
		}
	}
	if _, err := NewMaster([]byte(" \r\n")); err == nil {
		t.Error("an empty master key was accepted")
	}
}

func TestReadMaster(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "master")
	write(t, file, "gophers rule\r\n")
	m, _, err := ReadMaster(file)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := m.Key("user-joe"), DevMaster().Key("user-joe"); got != want {
		t.Errorf("white space was not trimmed: %s, want %s", got, want)
	}
	write(t, file, "\n")
	if _, _, err := ReadMaster(file); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("empty file: error %v, want one that names the file", err)
	}
	write(t, file, strings.Repeat("x", maxFile+1))
	if _, _, err := ReadMaster(file); err == nil {
		t.Error("a file of 64 KiB and more was taken for a key")
	}
}

func TestFind(t *testing.T) {
	const hostType = "host-foo-bar"
	for _, tt := range []struct {
		name    string
		files   map[string]string // below home
		env     map[string]string // $H is home
		want    string            // key
		file    string
		warning bool
		err     string
	}{
		{name: "by type", files: map[string]string{".gobuildkey-host-foo-bar": "abc\n", ".gobuildkey": "def"}, want: "abc", file: ".gobuildkey-host-foo-bar"},
		{name: "old place", files: map[string]string{".gobuildkey": "def\r\n"}, want: "def", file: ".gobuildkey", warning: true},
		{name: "path wins", files: map[string]string{".gobuildkey-host-foo-bar": "abc", "k": "ghi"}, env: map[string]string{"GO_BUILD_KEY_PATH": "$H/k"}, want: "ghi", file: "k"},
		{name: "path only", files: map[string]string{".gobuildkey-host-foo-bar": "abc"}, env: map[string]string{"GO_BUILD_KEY_PATH": "$H/none"}, err: "GO_BUILD_KEY_PATH"},
		{name: "none", err: ".gobuildkey-host-foo-bar"},
		{name: "empty", files: map[string]string{".gobuildkey-host-foo-bar": "\n"}, err: "is empty"},
		{name: "two lines", files: map[string]string{".gobuildkey-host-foo-bar": "abc\ndef\n"}, err: "more than one word"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			home := t.TempDir()
			for name, text := range tt.files {
				write(t, filepath.Join(home, name), text)
			}
			getenv := func(name string) string {
				switch name {
				case "HOME", "home", "HOMEPATH":
					return home
				}
				return strings.ReplaceAll(tt.env[name], "$H", home)
			}
			got, err := Find(hostType, getenv)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("error %v, want one with %q", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got.Key != tt.want || got.File != filepath.Join(home, tt.file) || slices.ContainsFunc(got.Warnings, func(w string) bool { return strings.Contains(w, "old place") }) != tt.warning {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestFindDeletes(t *testing.T) {
	home := t.TempDir()
	file := filepath.Join(home, ".gobuildkey-host-x-y")
	write(t, file, "abc")
	env := map[string]string{"HOME": home, "home": home, "HOMEPATH": home, "GO_BUILD_KEY_DELETE_AFTER_READ": "1"}
	if _, err := Find("host-x-y", func(k string) string { return env[k] }); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("the key file is still there (%v)", err)
	}
	_, err := Find("host-x-y", func(k string) string { return env[k] })
	if hint.Of(err) == "" {
		t.Errorf("no hint with %v", err)
	}
}

// What upstream takes as it is, and is likely a mistake, is said.
func TestMasterWarnings(t *testing.T) {
	for text, want := range map[string]string{
		"0123456789abcdef\r\n":              "",
		"gophers rule":                      "is 12 bytes",
		"\xef\xbb\xbf0123456789abcdef":      "byte order mark",
		"\xff\xfe0123456789abcdef":          "byte order mark",
		"0123456789abcdef\nand another one": "several lines",
	} {
		file := filepath.Join(t.TempDir(), "master")
		write(t, file, text)
		m, warnings, err := ReadMaster(file)
		if err != nil || (want == "") != (len(warnings) == 0) || !strings.Contains(strings.Join(warnings, "\n"), want) {
			t.Errorf("%q: warnings %q, %v; want one with %q", text, warnings, err, want)
		}
		mac := hmac.New(md5.New, []byte(strings.TrimSpace(text)))
		mac.Write([]byte("user-joe"))
		if want := hex.EncodeToString(mac.Sum(nil)); m.Key("user-joe") != want {
			t.Errorf("%q: key %s, want %s", text, m.Key("user-joe"), want)
		}
	}
}

// Key files that cannot be read: each is refused at once, and named.
func TestReadKeyRefusals(t *testing.T) {
	dir := t.TempDir()
	for _, tt := range []struct{ text, err string }{
		{"", "is empty"},
		{" \r\n", "is empty"},
		{"\xef\xbb\xbf", "is empty"},
		{"\xff\xfeA\x00", "is UTF-16 text"},
		{"-----BEGIN CERTIFICATE-----\n", "holds PEM"},
		{"abc def", "more than one word"},
		{"a\x00b", "bytes that are no text"},
		{"a\xffb", "bytes that are no text"},
		{strings.Repeat("a", maxFile+1), "is larger than"},
	} {
		file := filepath.Join(dir, "key")
		write(t, file, tt.text)
		_, err := ReadKey(file)
		if err == nil || !strings.Contains(err.Error(), tt.err) || !strings.Contains(err.Error(), file) || hint.Of(err) == "" {
			t.Errorf("%.20q: error %v, hint %q; want %q", tt.text, err, hint.Of(err), tt.err)
		}
	}
	if _, err := ReadKey(dir); err == nil || !strings.Contains(err.Error(), "is a directory") {
		t.Errorf("directory: error %v", err)
	}
}

// The homes of upstream's buildlet (build protocol, section 1).
func TestHome(t *testing.T) {
	for _, tt := range []struct {
		goos string
		uid  int
		env  map[string]string
		want string
	}{
		{"linux", 1000, map[string]string{"HOME": "/home/joe"}, "/home/joe"},
		{"linux", 0, nil, "/root"},
		{"linux", 1000, nil, "/"},
		{"plan9", 0, map[string]string{"HOME": "/x", "home": "/usr/glenda"}, "/usr/glenda"},
		{"windows", -1, map[string]string{"HOME": "/x", "HOMEDRIVE": "C:", "HOMEPATH": `\Users\joe`, "USERPROFILE": `D:\joe`}, `C:\Users\joe`},
		{"windows", -1, map[string]string{"USERPROFILE": `C:\Users\joe`}, `C:\Users\joe`},
	} {
		if got := homeOn(tt.goos, tt.uid, func(name string) string { return tt.env[name] }); got != tt.want {
			t.Errorf("%s, uid %d, %v: home %q, want %q", tt.goos, tt.uid, tt.env, got, tt.want)
		}
	}
}

func TestDeleteAfterRead(t *testing.T) {
	for value, deletes := range map[string]bool{
		"": false, "0": false, "false": false, "yes": false, "tRUE": false,
		"1": true, "t": true, "T": true, "TRUE": true, "true": true, "True": true,
	} {
		file := filepath.Join(t.TempDir(), "key")
		write(t, file, "abc")
		env := map[string]string{"GO_BUILD_KEY_PATH": file, "GO_BUILD_KEY_DELETE_AFTER_READ": value}
		getenv := func(name string) string { return env[name] }
		if _, err := Locate("host-x", getenv); err != nil {
			t.Fatal(err)
		}
		if found, err := Find("host-x", getenv); err != nil || found.Key != "abc" {
			t.Errorf("%q: %v, %v", value, found, err)
		}
		if _, err := os.Stat(file); os.IsNotExist(err) != deletes {
			t.Errorf("%q: afterwards %v, want it deleted: %v", value, err, deletes)
		}
	}
}

// What is written is for its owner only, and never in place of another key
// unless forced.
func TestWriteKey(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	file, err := WriteKey(dir, "host-x", "abc", false)
	if err != nil {
		t.Fatal(err)
	}
	holds := func(want string) {
		t.Helper()
		if text, err := os.ReadFile(file); err != nil || string(text) != want+"\n" {
			t.Errorf("the file holds %q, %v; want %q", text, err, want)
		}
		if info, err := os.Stat(file); runtime.GOOS != "windows" && (err != nil || info.Mode() != 0o600) {
			t.Errorf("mode %v, %v", info.Mode(), err)
		}
	}
	holds("abc")
	_, err = WriteKey(dir, "host-x", "def", false)
	if err == nil || !strings.Contains(err.Error(), Fingerprint("abc")) || strings.Contains(err.Error()+hint.Of(err), "def") {
		t.Errorf("over another key: error %v, hint %q", err, hint.Of(err))
	}
	holds("abc")
	if _, err := WriteKey(dir, "host-x", "def", true); err != nil {
		t.Error(err)
	}
	holds("def")
	for _, name := range []string{"", "../x", `a\b`, "a:b", "a\nb", "a*"} {
		if _, err := WriteKey(dir, name, "abc", true); err == nil {
			t.Errorf("%q became a file's name", name)
		}
	}
}

// Whatever a key file holds, a key comes of it that one line can hold, or an
// error that does not show it.
func FuzzReadKey(f *testing.F) {
	for _, seed := range []string{"e5ba3af493802d6bce3ca159476e9d15\r\n", "\xef\xbb\xbfabc", "\xff\xfea\x00", "-----BEGIN X-----", "a b", "\x00", " "} {
		f.Add([]byte(seed))
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text []byte) {
		file := filepath.Join(dir, fmt.Sprint(os.Getpid()))
		write(t, file, string(text))
		found, err := ReadKey(file)
		switch {
		case err != nil:
			if key := strings.TrimSpace(string(text)); len(key) > 64 && strings.Contains(err.Error()+hint.Of(err), key) {
				t.Errorf("the error shows the file's text: %v", err)
			}
		case found.Key == "" || strings.ContainsAny(found.Key, "\r\n\t \x00") || !bytes.Contains(text, []byte(found.Key)):
			t.Errorf("%q gave the key %q", text, found.Key)
		}
		m, _, err := ReadMaster(file)
		if want := bytes.TrimSpace(text); (err == nil) != (len(want) > 0 && len(text) <= maxFile) || err == nil && !bytes.Equal(m.key, want) {
			t.Errorf("%q gave the master key %q, %v", text, m.key, err)
		}
	})
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
