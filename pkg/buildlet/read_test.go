package buildlet

import (
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"testing"
)

func TestRead(t *testing.T) {
	s := serve(t, Options{})
	s.put("d/f", "content", 0o751)
	s.put("empty", "", 0o600)
	for _, tt := range []struct {
		name, content string
		mode          fs.FileMode
	}{{"d/f", "content", 0o751}, {"d/../d/f", "content", 0o751}, {"empty", "", 0o600}} {
		f, err := s.client().Read(t.Context(), tt.name)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(f)
		f.Close()
		if err != nil || string(b) != tt.content || f.Size != int64(len(b)) {
			t.Errorf("%s: %q, size %d (%v)", tt.name, b, f.Size, err)
		}
		if runtime.GOOS != "windows" && f.Mode != tt.mode {
			t.Errorf("%s: mode %v, want %v", tt.name, f.Mode, tt.mode)
		}
	}
}

func TestReadRefusals(t *testing.T) {
	s := serve(t, Options{})
	s.put("d/f", "x", 0o644)
	for _, tt := range []struct {
		name   string
		status int
		text   string
	}{
		{"none", 404, `no file "none" in the work directory`},
		{"d/none", 404, `no file "d/none" in the work directory`},
		{"d", 400, `"d" is not a regular file but d`},
		{".", 400, `"." is not a regular file but d`},
		{"", 400, "invalid 'path' parameter: path not provided"},
		{"../x", 400, `path "../x" refers to a parent directory`},
	} {
		_, err := s.client().Read(t.Context(), tt.name)
		se := new(StatusError)
		if !errors.As(err, &se) || se.Status != tt.status || !strings.Contains(se.Text, tt.text) || se.Op != "GET /read" {
			t.Errorf("Read(%q): %v, want %d %q", tt.name, err, tt.status, tt.text)
		}
		if errors.Is(err, ErrNoAddition) {
			t.Errorf("Read(%q): ErrNoAddition, of a buildlet that has it", tt.name)
		}
	}
}

// A buildlet of upstream's says 404 to what it does not know, which is another
// 404 than that of a file that is not there.
func TestReadFromUpstream(t *testing.T) {
	s := serve(t, Options{})
	s.put("d/f", "content", 0o640)
	s.put("top", "at the top", 0o644)
	if err := os.MkdirAll(s.path("d/sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/read" {
			http.NotFound(w, r)
			return
		}
		s.ServeHTTP(w, r)
	}))
	defer upstream.Close()
	c := NewClient(upstream.URL, ClientOptions{HTTP: s.http})
	defer s.http.CloseIdleConnections()
	if _, err := c.Read(t.Context(), "d/f"); !errors.Is(err, ErrNoAddition) {
		t.Fatalf("error %v, want ErrNoAddition", err)
	}
	for name, want := range map[string]string{"d/f": "content", "./d//f": "content", "top": "at the top"} {
		f, err := c.ReadFromTar(t.Context(), name)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		b, err := io.ReadAll(f)
		f.Close()
		if err != nil || string(b) != want || f.Size != int64(len(want)) {
			t.Errorf("%s: %q, size %d (%v)", name, b, f.Size, err)
		}
	}
	for name, want := range map[string]string{
		"d/none": "d/none: file does not exist", "d/sub": "d/sub: not a regular file",
		"none/f": "no such file", "../f": "refers to a parent directory", "/etc/passwd": "not relative",
	} {
		if f, err := c.ReadFromTar(t.Context(), name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v, want %q", name, f, err, want)
		}
	}
}
