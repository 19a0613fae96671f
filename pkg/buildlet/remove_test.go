package buildlet

import (
	"os"
	"slices"
	"strings"
	"testing"
)

func TestRemoveAll(t *testing.T) {
	s := serve(t, Options{})
	s.put("a/b/f", "x", 0o644)
	s.put("g", "x", 0o644)
	s.put("kept", "x", 0o644)
	if status, body := s.post("/removeall?path=a/b", "path=g&path=none&path=none/either"); status != 200 || body != "" {
		t.Errorf("answer %d %q", status, body)
	}
	if got := names(t, s.work); slices.Contains(got, "g") || !slices.Contains(got, "kept") || len(names(t, s.path("a"))) != 0 {
		t.Errorf("left: %q, %q", got, names(t, s.path("a")))
	}
	if err := s.client().RemoveAll(t.Context(), "a", "kept"); err != nil {
		t.Error(err)
	}
}

// All paths are checked before anything is removed.
func TestRemoveAllChecksFirst(t *testing.T) {
	s := serve(t, Options{})
	s.put("f", "x", 0o644)
	for _, tt := range []struct{ form, body string }{
		{"", "requires 'path' parameter\n"},
		{"path=", "invalid 'path' parameter: path not provided\n"},
		{"path=f&path=../x", "invalid 'path' parameter: path \"../x\" refers to a parent directory\n"},
		{"path=f&path=/etc", "invalid 'path' parameter: path \"/etc\" is not relative\n"},
		{"path=%zz", "invalid URL escape \"%zz\"\n"},
	} {
		if status, body := s.post("/removeall", tt.form); status != 400 || body != tt.body {
			t.Errorf("form %q: %d %q, want 400 %q", tt.form, status, body, tt.body)
		}
		if s.content("f") != "x" {
			t.Fatal("a file was removed")
		}
	}
}

// The work directory stays, and goes on working.
func TestRemoveAllOfDot(t *testing.T) {
	s := serve(t, Options{})
	s.put("a/b/f", "x", 0o644)
	if err := os.Symlink(s.dir, s.path("link")); err != nil {
		t.Skip(err)
	}
	for range 2 {
		if status, body := s.do("POST", "/removeall?path=./.", nil); status != 200 || body != "" {
			t.Errorf("answer %d %q", status, body)
		}
		if got := names(t, s.work); len(got) != 0 {
			t.Errorf("left: %q", got)
		}
	}
	if got := names(t, s.dir); !slices.Equal(got, []string{"work"}) {
		t.Errorf("beside the work directory: %q", got)
	}
	if status, body := s.do("PUT", "/write?path=f&mode=420", strings.NewReader("x")); status != 200 {
		t.Errorf("write afterwards: %d %q", status, body)
	}
}
