package buildlet

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestCleanPath(t *testing.T) {
	for _, tt := range []struct{ name, want, err string }{
		{"a", "a", ""},
		{"a/b/../c", "a/c", ""},
		{"a/../b", "b", ""},
		{".", ".", ""},
		{"./a//b/", "a/b", ""},
		{"..a/...", "..a/...", ""},
		{"", "", "path not provided"},
		{"/", "", `path "/" is not relative`},
		{"/etc/passwd", "", `path "/etc/passwd" is not relative`},
		{"..", "", `path ".." refers to a parent directory`},
		{"../a", "", `path "../a" refers to a parent directory`},
		{"a/../../b", "", `path "a/../../b" refers to a parent directory`},
	} {
		got, err := cleanPath(tt.name)
		text := ""
		if err != nil {
			text = err.Error()
		}
		if filepath.Separator == '\\' && strings.HasPrefix(tt.name, "/") {
			tt.err = strings.Replace(tt.err, "not relative", "relative to volume", 1)
		}
		if got != filepath.FromSlash(tt.want) || text != tt.err {
			t.Errorf("cleanPath(%q) = %q, %q, want %q, %q", tt.name, got, text, tt.want, tt.err)
		}
	}
	if got, err := cleanDir(""); got != "." || err != nil {
		t.Errorf("cleanDir of nothing = %q, %v", got, err)
	}
}

// The same rule guards every request that takes a path.
func TestPathRuleEverywhere(t *testing.T) {
	s := serve(t, Options{})
	for _, tt := range []struct{ method, before, after, param string }{
		{"PUT", "/write?path=", "&mode=420", "path"},
		{"GET", "/read?path=", "", "path"},
		{"PUT", "/writetgz?dir=", "", "dir"},
		{"GET", "/tgz?dir=", "", "dir"},
		{"GET", "/ls?dir=", "", "dir"},
		{"POST", "/removeall?path=", "", "path"},
		{"POST", "/exec?cmd=/bin/echo&dir=", "", "dir"},
	} {
		status, body := s.do(tt.method, tt.before+"a/../../b"+tt.after, nil)
		want := "invalid '" + tt.param + "' parameter: path \"a/../../b\" refers to a parent directory\n"
		if status != 400 || body != want {
			t.Errorf("%s %s: %d %q, want 400 %q", tt.method, tt.before, status, body, want)
		}
	}
	for _, path := range []string{"/write?mode=420", "/read", "/tgz", "/tgz?dir="} {
		method := map[bool]string{true: "PUT", false: "GET"}[strings.HasPrefix(path, "/write")]
		if status, body := s.do(method, path, nil); status != 400 || !strings.HasSuffix(body, "parameter: path not provided\n") {
			t.Errorf("%s: %d %q", path, status, body)
		}
	}
}

// FuzzCleanPath: what passes stays local, and passes again as it is.
func FuzzCleanPath(f *testing.F) {
	for _, name := range []string{"a", "..", "a/../..", "/a", `C:\a`, `\\x\y`, `a\..\..\b`, "a//b/./c", "", "\x00", "..\\", ". /..", "NUL"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		clean, err := cleanPath(name)
		if err != nil {
			return
		}
		if clean == "" || filepath.IsAbs(clean) || filepath.Clean(clean) != clean {
			t.Errorf("cleanPath(%q) = %q", name, clean)
		}
		if filepath.Separator == '/' && !filepath.IsLocal(clean) {
			t.Errorf("cleanPath(%q) = %q, which is not local", name, clean)
		}
		if again, err := cleanPath(clean); err != nil || again != clean {
			t.Errorf("cleanPath(%q) = %q, %v", clean, again, err)
		}
	})
}
