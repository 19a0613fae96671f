//go:build unix

package buildlet

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"
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

// The entries of an archive, in order (section 3.5).
func TestTGZ(t *testing.T) {
	s := serve(t, Options{})
	s.tree()
	mkfifo(t, s.path("t/pipe"), 0o644)
	ln, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		defer syscall.Close(ln)
		t.Chdir(s.path("t")) // a socket's path may not be long
		if err := syscall.Bind(ln, &syscall.SockaddrUnix{Name: "socket"}); err != nil {
			t.Log(err)
		}
	}
	for dir, want := range map[string]string{
		"t":      "5 a/|5 a/x/|0 a/x/deep|0 a/y|0 a.b|0 b|2 dangling>nowhere|2 dirlink>a|2 link>b|6 pipe",
		"t/a/.":  "5 x/|0 x/deep|0 y",
		"t/b":    "0 b",
		"t/link": "0 link",
		"tmp":    "",
	} {
		resp := s.send("GET", "/tgz?dir="+dir, nil, "")
		zr, err := gzip.NewReader(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		tr := tar.NewReader(zr)
		var got []string
		for {
			h, err := tr.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", dir, err)
			}
			line := fmt.Sprintf("%c %s", h.Typeflag, h.Name)
			if h.Linkname != "" {
				line += ">" + h.Linkname
			}
			got = append(got, line)
		}
		if strings.Join(got, "|") != want {
			t.Errorf("%s: %s\nwant %s", dir, strings.Join(got, "|"), want)
		}
		if ct := resp.Header.Get("Content-Type"); ct != "application/x-gzip" || resp.Header.Get("Content-Encoding") != "" {
			t.Errorf("Content-Type %q, Content-Encoding %q", ct, resp.Header.Get("Content-Encoding"))
		}
		if rest, err := io.Copy(io.Discard, resp.Body); err != nil {
			t.Errorf("%d bytes, %v", rest, err)
		}
		resp.Body.Close()
	}
	if status, body := s.do("GET", "/tgz?dir=none", nil); status != 500 || !strings.Contains(body, "none: no such file or directory") {
		t.Errorf("missing directory: %d %q", status, body)
	}
}

// What fails after the beginning shows as a break in the stream.
func TestBrokenOffInside(t *testing.T) {
	if !unprivileged(t) {
		return
	}
	s := serve(t, Options{})
	noise := make([]byte, 1<<20)
	for i := range noise {
		noise[i] = byte(i*i>>7) ^ byte(i)
	}
	for i := range 3000 {
		s.put(fmt.Sprintf("a/a-name-that-takes-room-in-a-listing-%04d", i), "", 0o644)
	}
	s.put("a/noise", string(noise), 0o644)
	s.put("z/secret", "x", 0)
	if err := os.Mkdir(s.path("z/shut"), 0); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/tgz?dir=.", "/tgz?dir=z", "/ls?recursive=true&digest=true", "/ls?recursive=true&skip=none"} {
		resp, err := s.http.Get(s.url + path)
		if err == nil {
			_, err = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
		if err == nil {
			t.Errorf("%s: the answer looks whole", path)
		}
	}
	if status, body := s.do("GET", "/ls?dir=z&digest=true", nil); status != 500 || !strings.HasPrefix(body, "Walk error: ") {
		t.Errorf("nothing was sent yet: %d %q", status, body)
	}
}

// A reader that goes away in the middle leaves nothing behind (see TestMain).
func TestTGZAbandoned(t *testing.T) {
	s := serve(t, Options{})
	noise := make([]byte, 4<<20)
	for i := range noise {
		noise[i] = byte(i*i>>9) ^ byte(i*7)
	}
	s.put("noise", string(noise), 0o644)
	for range 5 {
		body, err := s.client().GetTar(t.Context(), ".")
		if err != nil {
			t.Fatal(err)
		}
		io.CopyN(io.Discard, body, 1000)
		body.Close()
	}
}

// snapshot describes what is below a directory.
func snapshot(t rapid.TB, dir string) []string {
	var lines []string
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		info, err := os.Lstat(path)
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		line := fmt.Sprintf("%q %v", rel, info.Mode())
		switch info.Mode().Type() {
		case 0:
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			line += fmt.Sprintf(" %d %d %x", info.ModTime().Unix(), len(b), b)
		case fs.ModeDir:
			line += fmt.Sprint(" ", info.ModTime().Unix())
		case fs.ModeSymlink:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			line += " " + target
		}
		lines = append(lines, line)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

// What comes out of tgz goes into writetgz without a difference.
func TestRoundTrip(t *testing.T) {
	s := serve(t, Options{})
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		from, to := fmt.Sprintf("from%d", n), fmt.Sprintf("to%d", n)
		if err := os.Mkdir(s.path(from), 0o755); err != nil {
			t.Fatal(err)
		}
		randomTree(t, s.path(from), 0)
		want := snapshot(t, s.path(from))
		body, err := s.client().GetTar(t.Context(), from)
		if err != nil {
			t.Fatal(err)
		}
		defer body.Close()
		if err := s.client().PutTar(t.Context(), body, to); err != nil {
			t.Fatal(err)
		}
		if got := snapshot(t, s.path(to)); !slices.Equal(got, want) {
			t.Fatalf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if err := s.client().RemoveAll(t.Context(), from, to); err != nil {
			t.Fatal(err)
		}
	})
}

// randomTree fills a directory and then sets its mode and time.
func randomTree(t *rapid.T, dir string, depth int) {
	name := rapid.StringMatching(`[a-zA-Z0-9 ._+\t\\ü-]{1,12}|long-name-[a-z]{90,150}`).
		Filter(func(s string) bool { return s != "." && s != ".." })
	when := rapid.Int64Range(0, 1_700_000_000)
	for _, base := range rapid.SliceOfNDistinct(name, 0, 4, rapid.ID[string]).Draw(t, "names") {
		path := filepath.Join(dir, base)
		mode := fs.FileMode(rapid.Uint32Range(0, 0o777).Draw(t, "mode"))
		if os.Geteuid() != 0 {
			mode |= 0o400
		}
		var err error
		switch kind := rapid.IntRange(0, 3).Draw(t, "kind"); {
		case kind == 0 && depth < 3:
			if err = os.Mkdir(path, 0o700); err == nil {
				randomTree(t, path, depth+1)
				if os.Geteuid() != 0 {
					mode |= 0o700
				}
				err = os.Chmod(path, mode)
			}
		case kind == 1:
			err = os.Symlink(rapid.SampledFrom([]string{"x", "./a/../b", "no where", strings.Repeat("l", 140)}).Draw(t, "target"), path)
		default:
			err = os.WriteFile(path, rapid.SliceOfN(rapid.Byte(), 0, 700).Draw(t, "content"), 0o600)
			if err == nil {
				err = os.Chmod(path, mode)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Lstat(path); err == nil && info.Mode().Type() != fs.ModeSymlink {
			at := time.Unix(when.Draw(t, "time"), 0)
			if err := os.Chtimes(path, at, at); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// Files of the size of a compression block and around it.
func TestRoundTripBlocks(t *testing.T) {
	s := serve(t, Options{})
	for _, size := range []int{pgzipBlock - 1, pgzipBlock, pgzipBlock + 1, 5*pgzipBlock + 7} {
		content := bytes.Repeat([]byte("0123456789abcde"), size/15+1)[:size]
		s.put(fmt.Sprintf("from/%d", size), string(content), 0o644)
	}
	body, err := s.client().GetTar(t.Context(), "from")
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	if err := s.client().PutTar(t.Context(), body, "to"); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(snapshot(t, s.path("from")), snapshot(t, s.path("to"))) {
		t.Error("contents differ")
	}
}
