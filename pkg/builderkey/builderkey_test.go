package builderkey

import (
	"fmt"
	"os"
	"path/filepath"
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

func TestMasterNeverPrints(t *testing.T) {
	m, err := NewMaster([]byte(" very secret\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		if s := fmt.Sprintf(format, m); strings.Contains(s, "very secret") {
			t.Errorf("%s prints the key: %s", format, s)
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

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
