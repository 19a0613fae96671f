package buildlet

import (
	"crypto/sha1"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// tree fills the work directory with one of each.
func (s *testServer) tree() {
	s.t.Helper()
	s.put("t/b", "bb", 0o644)
	s.put("t/a/y", "", 0o600)
	s.put("t/a/x/deep", "deep", 0o755)
	s.put("t/a.b", "between a and a/", 0o644)
	for name, target := range map[string]string{"t/link": "b", "t/dangling": "nowhere", "t/dirlink": "a"} {
		if err := os.Symlink(target, s.path(name)); err != nil {
			s.t.Skip(err)
		}
	}
	when := day.Add(999 * time.Millisecond)
	for _, name := range []string{"t/b", "t/a/y", "t/a/x/deep", "t/a.b", "t/a/x", "t/a"} {
		if err := os.Chtimes(s.path(name), when, when); err != nil {
			s.t.Fatal(err)
		}
	}
}

// The lines of a listing, byte for byte (section 3.6).
func TestLs(t *testing.T) {
	if runtime.GOOS == "windows" || runtime.GOOS == "plan9" {
		t.Skip("modes are others there")
	}
	s := serve(t, Options{})
	s.tree()
	sum := func(text string) string { return fmt.Sprintf("\t%x", sha1.Sum([]byte(text))) }
	const at = "\t2020-02-29T12:00:00Z"
	all := "drwxr-xr-x\ta/\n" +
		"drwxr-xr-x\ta/x/\n" +
		"-rwxr-xr-x\ta/x/deep\t4" + at + "\n" +
		"-rw-------\ta/y\t0" + at + "\n" +
		"-rw-r--r--\ta.b\t16" + at + "\n" +
		"-rw-r--r--\tb\t2" + at + "\n" +
		"Lrwxrwxrwx\tdangling\n" +
		"Lrwxrwxrwx\tdirlink\n" +
		"Lrwxrwxrwx\tlink\n"
	without := func(text string, lines ...string) string {
		for _, line := range lines {
			begin := strings.Index(text, line)
			end := begin + strings.IndexByte(text[begin:], '\n') + 1
			text = text[:begin] + text[end:]
		}
		return text
	}
	top := without(all, "drwxr-xr-x\ta/x/", "-rwxr-xr-x\ta/x/deep", "-rw-------\ta/y")
	for _, tt := range []struct{ query, want string }{
		{"dir=t&recursive=true", all},
		{"dir=t/&recursive=1", all},
		{"dir=t", top},
		{"dir=t&recursive=false&skip=x", top},
		{"dir=t&recursive=nonsense", top},
		{"dir=t&recursive=true&skip=a/x", without(all, "drwxr-xr-x\ta/x/", "-rwxr-xr-x\ta/x/deep")},
		{"dir=t&recursive=true&skip=x&skip=a&skip=b", without(top, "drwxr-xr-x\ta/")},
		{"dir=t/a/x&digest=true", "-rwxr-xr-x\tdeep\t4" + at + sum("deep") + "\n"},
		{"dir=t/dirlink&digest=true", "drwxr-xr-x\tx/\n-rw-------\ty\t0" + at + sum("") + "\n"},
		{"dir=t/b", "-rw-r--r--\t\t2" + at + "\n"},
		{"dir=t/b&digest=true", "-rw-r--r--\t\t2" + at + sum("bb") + "\n"},
		{"dir=tmp", ""},
	} {
		if status, body := s.do("GET", "/ls?"+tt.query, nil); status != 200 || body != tt.want {
			t.Errorf("%s: %d\n%swant\n%s", tt.query, status, body, tt.want)
		}
	}
	if _, body := s.do("GET", "/ls", nil); !strings.Contains(body, "drwxr-xr-x\tt/\n") || strings.Contains(body, "t/b") {
		t.Errorf("work directory: %q", body)
	}
	for _, dir := range []string{"none", "t/none", "t/b/x", "t/dangling"} {
		if status, body := s.do("GET", "/ls?dir="+dir, nil); status != 500 || !strings.HasPrefix(body, "Walk error: ") {
			t.Errorf("%s: %d %q", dir, status, body)
		}
	}
}

// The order is that of the walk: an entry's content follows it at once.
func TestListByClient(t *testing.T) {
	s := serve(t, Options{})
	odd := []string{"tab\there", "trailing ", "-", "ünicode", "a\tb\t12\t2020-01-01T00:00:00Z"}
	if runtime.GOOS == "windows" {
		odd = odd[2:4]
	}
	for _, name := range odd {
		s.put("odd/"+name, "x", 0o644)
	}
	got := map[string]Entry{}
	err := s.client().List(t.Context(), "odd", ListOptions{Digest: true}, func(e Entry) error { got[e.Name] = e; return nil })
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range odd {
		e, ok := got[name]
		if !ok || e.Size != 1 || e.Digest != "11f6ad8ec52a2984abaafd7c3b516503785c2072" || e.IsDir() || time.Since(e.Time) > time.Hour {
			t.Errorf("%q: %+v, %t", name, e, ok)
		}
	}
	if len(got) != len(odd) {
		t.Errorf("%d entries, want %d: %q", len(got), len(odd), got)
	}
	if filepath.Separator == '/' {
		stop := fmt.Errorf("enough")
		n := 0
		err := s.client().List(t.Context(), "odd", ListOptions{}, func(Entry) error { n++; return stop })
		if err != stop || n != 1 {
			t.Errorf("error %v after %d entries", err, n)
		}
	}
}
