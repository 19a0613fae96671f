package buildlet

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

func TestWrite(t *testing.T) {
	s := serve(t, Options{})
	if status, body := s.do("PUT", "/write?path=a/b/f&mode=420", strings.NewReader("one")); status != 200 || body != "OK" {
		t.Fatalf("answer %d %q", status, body)
	}
	// What was there is replaced, be it longer.
	if status, body := s.do("PUT", "/write?path=a/./b/f&mode=420", strings.NewReader("2")); status != 200 || body != "OK" {
		t.Fatalf("answer %d %q", status, body)
	}
	if got := s.content("a/b/f"); got != "2" {
		t.Errorf("content %q", got)
	}
	if got := names(t, s.path("a/b")); !slices.Equal(got, []string{"f"}) {
		t.Errorf("beside the file: %q", got)
	}
}

// The body is the file, even if it looks like a form.
func TestWriteFormBody(t *testing.T) {
	s := serve(t, Options{})
	resp := s.send("PUT", "/write?path=f&mode=420", strings.NewReader("path=g&mode=1"), formType)
	resp.Body.Close()
	if got := s.content("f"); got != "path=g&mode=1" {
		t.Errorf("content %q", got)
	}
}

func TestWriteBadMode(t *testing.T) {
	s := serve(t, Options{})
	for _, mode := range []string{
		"", "x", "-1", "0o644", "0x1a4", " 420", "99999999999",
		fmt.Sprintf("%d", fs.ModeDir|0o755), fmt.Sprintf("%d", fs.ModeSymlink|0o777),
		fmt.Sprintf("%d", fs.ModeNamedPipe|0o644), fmt.Sprintf("%d", fs.ModeAppend|0o644),
	} {
		status, body := s.do("PUT", "/write?path=f&mode="+strings.ReplaceAll(mode, " ", "%20"), strings.NewReader("x"))
		if status != 400 || body != "bad mode\n" {
			t.Errorf("mode %q: %d %q", mode, status, body)
		}
	}
	if got := names(t, s.work); slices.Contains(got, "f") {
		t.Error("a file was made all the same")
	}
}

func TestWriteToDirectory(t *testing.T) {
	s := serve(t, Options{})
	s.put("d/f", "kept", 0o644)
	for _, path := range []string{"d", "d/", ".", "d/f/g"} {
		status, body := s.do("PUT", "/write?path="+path+"&mode=420", strings.NewReader("x"))
		if status != 500 || !strings.Contains(body, "directory") && !strings.Contains(body, "file exists") {
			t.Errorf("path %q: %d %q", path, status, body)
		}
	}
	if s.content("d/f") != "kept" || len(names(t, s.path("d"))) != 1 {
		t.Errorf("the directory has changed: %q", names(t, s.path("d")))
	}
}

// A sender that goes away leaves the old file, and nothing else.
func TestWriteBrokenOff(t *testing.T) {
	s := serve(t, Options{})
	s.put("d/f", "old", 0o600)
	for _, name := range []string{"d/f", "d/new"} {
		body := io.MultiReader(strings.NewReader(strings.Repeat("x", 1<<20)), iotest.ErrReader(errors.New("gone")))
		req, err := http.NewRequest("PUT", s.url+"/write?path="+name+"&mode=420", body)
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := s.http.Do(req); err == nil {
			resp.Body.Close()
			t.Fatalf("%s: answer %s to a request that broke off", name, resp.Status)
		}
	}
	await(t, "only the old file is there", func() bool { return slices.Equal(names(t, s.path("d")), []string{"f"}) })
	if got := s.content("d/f"); got != "old" {
		t.Errorf("content %q", got)
	}
}

// outside makes a directory beside the work directory, with a file in it, and
// the link name to it. It returns a check that nothing there has changed.
func (s *testServer) outside(name string) (check func(t testing.TB)) {
	s.t.Helper()
	dir := filepath.Join(s.dir, "outside")
	if err := os.MkdirAll(filepath.Join(dir, "d"), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "secret"), []byte("secret"), 0o640); err != nil {
		s.t.Fatal(err)
	}
	for i, target := range []string{dir, filepath.Join("..", "outside")} {
		link := name
		if i > 0 {
			link += "-relative"
		}
		if err := os.Symlink(target, s.path(link)); err != nil {
			s.t.Skip(err)
		}
	}
	return func(t testing.TB) {
		t.Helper()
		if got := names(t, dir); !slices.Equal(got, []string{"d", "secret"}) {
			t.Errorf("outside there is %q", got)
		}
		b, err := os.ReadFile(filepath.Join(dir, "secret"))
		info, _ := os.Stat(filepath.Join(dir, "secret"))
		if err != nil || string(b) != "secret" || runtime.GOOS != "windows" && info.Mode() != 0o640 {
			t.Errorf("the file outside is %q %v (%v)", b, info.Mode(), err)
		}
	}
}

// Links lead nowhere outside of the work directory, for no request.
func TestLinksStayInside(t *testing.T) {
	s := serve(t, Options{})
	check := s.outside("out")
	for _, link := range []string{"out", "out-relative"} {
		for _, tt := range []struct{ method, path string }{
			{"PUT", "/write?mode=420&path=%s/new"},
			{"PUT", "/write?mode=420&path=%s/d/new"},
			{"PUT", "/write?mode=420&path=%s/secret"},
			{"GET", "/read?path=%s/secret"},
			{"GET", "/read?path=%s"},
			{"GET", "/ls?dir=%s"},
			{"GET", "/ls?dir=%s/d"},
			{"GET", "/tgz?dir=%s"},
			{"GET", "/tgz?dir=%s/d"},
			{"POST", "/removeall?path=%s/secret"},
			{"POST", "/removeall?path=%s/d"},
		} {
			path := fmt.Sprintf(tt.path, link)
			status, body := s.do(tt.method, path, strings.NewReader(""))
			if status < 400 || strings.Contains(body, "secret\n") || body == "secret" {
				t.Errorf("%s %s: %d %q", tt.method, path, status, body)
			}
			check(t)
		}
	}
	// What is a link itself is shown and removed as such.
	if _, body := s.do("GET", "/ls?recursive=true", nil); strings.Contains(body, "secret") || !strings.Contains(body, "\tout\n") {
		t.Errorf("listing %q", body)
	}
	if status, body := s.do("POST", "/removeall?path=out&path=out-relative", nil); status != 200 {
		t.Errorf("remove links: %d %q", status, body)
	}
	check(t)
}

// A link at the target gives way to the file.
func TestWriteReplacesLink(t *testing.T) {
	s := serve(t, Options{})
	check := s.outside("out")
	for _, target := range []string{filepath.Join(s.dir, "outside", "secret"), "inside", "nowhere"} {
		s.put("inside", "kept", 0o644)
		os.Remove(s.path("f"))
		if err := os.Symlink(target, s.path("f")); err != nil {
			t.Fatal(err)
		}
		if status, body := s.do("PUT", "/write?mode=420&path=f", strings.NewReader("new")); status != 200 {
			t.Fatalf("link to %s: %d %q", target, status, body)
		}
		if info, err := os.Lstat(s.path("f")); err != nil || !info.Mode().IsRegular() {
			t.Errorf("link to %s is not replaced: %v", target, info.Mode())
		}
		if s.content("f") != "new" || s.content("inside") != "kept" {
			t.Errorf("link to %s: %q, %q", target, s.content("f"), s.content("inside"))
		}
		check(t)
	}
	if err := os.MkdirAll(s.path("real"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real", s.path("dir")); err != nil {
		t.Fatal(err)
	}
	if status, body := s.do("PUT", "/write?mode=420&path=dir/sub/f", strings.NewReader("x")); status != 200 || s.content("real/sub/f") != "x" {
		t.Errorf("write through a link that stays inside: %d %q", status, body)
	}
}
