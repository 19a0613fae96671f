package buildlet

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// tarball makes a tar of entries; data of regular files is in the field
// Uname, which is of no use otherwise. With end it is finished as tar ends.
func tarball(t testing.TB, end bool, entries ...tar.Header) []byte {
	t.Helper()
	var buf bytes.Buffer
	tw := tar.NewWriter(&buf)
	for _, h := range entries {
		data := h.Uname
		h.Uname = ""
		if h.Size == 0 {
			h.Size = int64(len(data))
		}
		if err := tw.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(tw, data); err != nil {
			t.Fatal(err)
		}
	}
	if end {
		if err := tw.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return buf.Bytes()
}

func zipped(t testing.TB, b []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	zw := gzip.NewWriter(&buf)
	if _, err := zw.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func archive(t testing.TB, entries ...tar.Header) io.Reader {
	return bytes.NewReader(zipped(t, tarball(t, true, entries...)))
}

var day = time.Date(2020, 2, 29, 12, 0, 0, 0, time.UTC)

func file(name, data string) tar.Header {
	return tar.Header{Typeflag: tar.TypeReg, Name: name, Uname: data, Mode: 0o644, ModTime: day}
}

func link(name, target string) tar.Header {
	return tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target, Mode: 0o777, ModTime: day}
}

func hardLink(name, target string) tar.Header {
	return tar.Header{Typeflag: tar.TypeLink, Name: name, Linkname: target, Mode: 0o644, ModTime: day}
}

func dir(name string, mode int64) tar.Header {
	return tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: mode, ModTime: day}
}

// unpack sends an archive and fails the test if it is refused.
func (s *testServer) unpack(dir string, r io.Reader) {
	s.t.Helper()
	if status, body := s.do("PUT", "/writetgz?dir="+dir, r); status != 200 || body != "OK" {
		s.t.Fatalf("writetgz: %d %q", status, body)
	}
}

func TestUntar(t *testing.T) {
	s := serve(t, Options{})
	s.unpack("go/src", archive(t,
		tar.Header{Typeflag: tar.TypeXGlobalHeader, PAXRecords: map[string]string{"comment": "x"}},
		file("a/b/c", "no entry for the parents"),
		dir("d/", 0o755),
		file("./d/../d/f", "f"),
		file("d/.hidden", ""),
		link("d/link", "f"),
		link("d/up", "../a/b/c"),
		link("d/dangling", "nowhere"),
		hardLink("hard", "d/f"),
		tar.Header{Typeflag: tar.TypeReg, Name: "cont", Uname: "x", Mode: 0o644},
	))
	for name, want := range map[string]string{
		"go/src/a/b/c": "no entry for the parents", "go/src/d/f": "f", "go/src/d/.hidden": "",
		"go/src/d/link": "f", "go/src/d/up": "no entry for the parents", "go/src/hard": "f",
	} {
		if got := s.content(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if target, err := os.Readlink(s.path("go/src/d/dangling")); target != "nowhere" || err != nil {
		t.Errorf("dangling link: %q, %v", target, err)
	}
	one, err1 := os.Stat(s.path("go/src/d/f"))
	two, err2 := os.Stat(s.path("go/src/hard"))
	if err1 != nil || err2 != nil || !os.SameFile(one, two) {
		t.Errorf("the hard link is a file of its own (%v, %v)", err1, err2)
	}
}

// Without a directory the work directory is meant, and it need not exist.
func TestUntarDir(t *testing.T) {
	s := serve(t, Options{})
	for query, at := range map[string]string{"": "f", "?dir=": "f", "?dir=.": "f", "?dir=new/deep": "new/deep/f"} {
		if status, body := s.do("PUT", "/writetgz"+query, archive(t, file("f", query))); status != 200 || s.content(at) != query {
			t.Errorf("query %q: %d %q", query, status, body)
		}
	}
}

func TestUntarTimes(t *testing.T) {
	s := serve(t, Options{})
	future := day.AddDate(100, 0, 0)
	begin := time.Now().Add(-time.Second)
	withTime := func(h tar.Header, tm time.Time) tar.Header { h.ModTime = tm; return h }
	s.unpack("", archive(t,
		file("old", "x"), withTime(file("new", "x"), future), withTime(file("none", "x"), time.Time{}),
		dir("dir", 0o755), file("dir/f", "x"), withTime(dir("newdir", 0o755), future)))
	for _, name := range []string{"old", "dir", "dir/f"} {
		if info, err := os.Stat(s.path(name)); err != nil || !info.ModTime().Equal(day) {
			t.Errorf("%s is of %v, want %v (%v)", name, info.ModTime(), day, err)
		}
	}
	for _, name := range []string{"new", "newdir"} {
		if info, err := os.Stat(s.path(name)); err != nil || info.ModTime().After(time.Now()) || info.ModTime().Before(begin) {
			t.Errorf("%s is of %v, want the time of unpacking (%v)", name, info.ModTime(), err)
		}
	}
	if info, err := os.Stat(s.path("none")); err != nil || !info.ModTime().Equal(time.Unix(0, 0)) {
		t.Errorf("a file without a time is of %v (%v)", info.ModTime(), err)
	}
}

// What is there is replaced, and a file that has other names keeps its content
// under these.
func TestUntarReplaces(t *testing.T) {
	s := serve(t, Options{})
	s.put("f", "old", 0o600)
	s.put("d/f", "old", 0o644)
	if err := os.Link(s.path("f"), s.path("other")); err != nil {
		t.Skip(err)
	}
	if err := os.Symlink("d", s.path("ln")); err != nil {
		t.Skip(err)
	}
	s.unpack("", archive(t, file("f", "new"), link("d/f", "g"), file("ln", "no link"), dir("d", 0o755), file("f", "twice"), hardLink("f", "f")))
	if s.content("f") != "twice" || s.content("other") != "old" || s.content("ln") != "no link" {
		t.Errorf("contents %q, %q, %q", s.content("f"), s.content("other"), s.content("ln"))
	}
	if target, err := os.Readlink(s.path("d/f")); err != nil || target != "g" {
		t.Errorf("link: %q, %v", target, err)
	}
	if runtime.GOOS != "windows" {
		if info, _ := os.Stat(s.path("f")); info.Mode() != 0o644 {
			t.Errorf("mode %v", info.Mode())
		}
	}
	if got := names(t, s.work); slices.ContainsFunc(got, func(n string) bool { return strings.HasPrefix(n, ".gobuild-") }) {
		t.Errorf("left over: %q", got)
	}
}

func TestUntarRefusals(t *testing.T) {
	broken := func(b []byte, at int) []byte { b = bytes.Clone(b); b[at] ^= 0xff; return b }
	plain := tarball(t, true, file("good", "good"), file("f", strings.Repeat("x", 2000)))
	for _, tt := range []struct {
		name   string
		body   []byte
		status int
		text   string // parts of it
	}{
		{"not gzip", []byte("hello, world"), 400, "requires gzip-compressed body: "},
		{"nothing", nil, 400, "requires gzip-compressed body: EOF"},
		{"no tar", zipped(t, []byte(strings.Repeat("no tar", 200))), 400, "tar error: |(after 0 entries)"},
		{"damaged header", zipped(t, broken(plain, 1024+3)), 400, "tar error: |(after 1 entries)"},
		{"trailing garbage", append(zipped(t, plain), "garbage"...), 400, "tar error: |(after 2 entries)"},
		{"parent", zipped(t, tarball(t, true, file("good", ""), file("../f", ""))), 400,
			`tar file contained invalid name "../f": path "../f" refers to a parent directory`},
		{"absolute", zipped(t, tarball(t, true, file("/etc/passwd", ""))), 400,
			`tar file contained invalid name "/etc/passwd": path "/etc/passwd" is not relative`},
		{"no name", zipped(t, tarball(t, true, file("", ""))), 400, `tar file contained invalid name "": path not provided`},
		{"fifo", zipped(t, tarball(t, true, tar.Header{Typeflag: tar.TypeFifo, Name: "p", Mode: 0o644})), 400,
			`tar file entry "p" contained unsupported file type prw-r--r--`},
		{"device", zipped(t, tarball(t, true, tar.Header{Typeflag: tar.TypeBlock, Name: "dev/sda", Mode: 0o660, Devmajor: 8})), 400,
			`tar file entry "dev/sda" contained unsupported file type Drw-rw----`},
		{"character device", zipped(t, tarball(t, true, tar.Header{Typeflag: tar.TypeChar, Name: "null", Mode: 0o666, Devmajor: 1, Devminor: 3})), 400,
			`tar file entry "null" contained unsupported file type Dcrw-rw-rw-`},
		{"link up", zipped(t, tarball(t, true, link("d/l", "../../etc"))), 400,
			`tar file entry "d/l" is a link to "../../etc", which is outside of the work directory`},
		{"link absolute", zipped(t, tarball(t, true, link("l", "/etc"))), 400,
			`tar file entry "l" is a link to "/etc", which is outside of the work directory`},
		{"link to nothing", zipped(t, tarball(t, true, link("l", ""))), 400, `tar file entry "l" is a link to ""`},
		{"hard link up", zipped(t, tarball(t, true, hardLink("l", "../secret"))), 400,
			`tar file entry "l" is a hard link to "../secret", which is outside of the archive`},
		{"hard link absolute", zipped(t, tarball(t, true, hardLink("l", "/etc/passwd"))), 400,
			`tar file entry "l" is a hard link to "/etc/passwd", which is outside of the archive`},
		{"hard link to nothing", zipped(t, tarball(t, true, hardLink("l", "none"))), 500, `tar file entry "l" (after 0 entries): `},
		{"file over directory", zipped(t, tarball(t, true, file("good", ""), file("tmp", "x"))), 500, `tar file entry "tmp" (after 1 entries): `},
		{"link over full directory", zipped(t, tarball(t, true, file("d/f", ""), link("d", "x"))), 500, `tar file entry "d" (after 1 entries): `},
		{"directory over file", zipped(t, tarball(t, true, file("f", ""), dir("f", 0o755))), 500, `tar file entry "f" (after 1 entries): `},
		{"below a file", zipped(t, tarball(t, true, file("f", ""), file("f/g", ""))), 500, `tar file entry "f/g" (after 1 entries): `},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := serve(t, Options{})
			status, body := s.do("PUT", "/writetgz", bytes.NewReader(tt.body))
			if status != tt.status || !strings.HasSuffix(body, "\n") || strings.Count(body, "\n") != 1 {
				t.Errorf("answer %d %q, want %d", status, body, tt.status)
			}
			for part := range strings.SplitSeq(tt.text, "|") {
				if !strings.Contains(body, part) {
					t.Errorf("answer %q, want %q in it", body, part)
				}
			}
			if got := names(t, s.work); slices.ContainsFunc(got, func(n string) bool { return strings.HasPrefix(n, ".gobuild-") }) {
				t.Errorf("left over: %q", got)
			}
			if got := names(t, s.dir); !slices.Equal(got, []string{"work"}) {
				t.Errorf("beside the work directory: %q", got)
			}
		})
	}
}

// An archive that breaks off is refused wherever that is.
func TestUntarTruncated(t *testing.T) {
	whole := zipped(t, tarball(t, true, file("a", strings.Repeat("0123456789", 500)), file("b", "b")))
	s := serve(t, Options{})
	for n := range len(whole) {
		if n > 40 && n < len(whole)-40 && n%7 != 0 {
			continue
		}
		status, body := s.do("PUT", "/writetgz", bytes.NewReader(whole[:n]))
		if status != 400 || !strings.HasPrefix(body, "tar error: ") && !strings.HasPrefix(body, "requires gzip-compressed body: ") {
			t.Errorf("%d of %d bytes: %d %q", n, len(whole), status, body)
		}
	}
	for i := range whole {
		b := bytes.Clone(whole)
		b[i] ^= 0x10
		if zr, err := gzip.NewReader(bytes.NewReader(b)); err == nil {
			if _, err := io.Copy(io.Discard, zr); err == nil {
				continue // a bit that says nothing, as the archive's time
			}
		}
		if status, body := s.do("PUT", "/writetgz", bytes.NewReader(b)); status != 400 {
			t.Errorf("byte %d damaged: %d %q", i, status, body)
		}
	}
}

func TestUntarMembers(t *testing.T) {
	s := serve(t, Options{})
	plain := tarball(t, true, file("a", strings.Repeat("a", 3000)), file("b", "b"))
	var members []byte
	for piece := range slices.Chunk(plain, 700) {
		members = append(members, zipped(t, piece)...)
	}
	s.unpack("", bytes.NewReader(members))
	if len(s.content("a")) != 3000 || s.content("b") != "b" {
		t.Error("contents differ")
	}
	// Without the blocks of zeros that end a tar, upstream's takes it too.
	s.unpack("x", bytes.NewReader(zipped(t, tarball(t, false, file("c", strings.Repeat("c", 512))))))
	// What stands behind them is not looked at.
	s.unpack("y", bytes.NewReader(zipped(t, append(tarball(t, true, file("c", "c")), "more"...))))
}

func TestUntarFromURL(t *testing.T) {
	body, err := io.ReadAll(archive(t, file("bin/go", "go")))
	if err != nil {
		t.Fatal(err)
	}
	fetched := 0
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/go.tar.gz":
			fetched++
			w.Write(body)
		case "/short":
			w.Header().Set("Content-Length", fmt.Sprint(len(body)))
			w.Write(body[:len(body)/2])
		default:
			http.NotFound(w, r)
		}
	}))
	defer web.Close()
	defer http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	s := serve(t, Options{})
	for _, tt := range []struct {
		query, form string
		status      int
		text        string
	}{
		{"?dir=go", "url=" + web.URL + "/go.tar.gz", 200, "OK"},
		{"?dir=go&url=" + web.URL + "/go.tar.gz", "", 200, "OK"},
		{"?dir=go1.4", "url=" + web.URL + "/go.tar.gz", 200, "OK"},
		{"?dir=go1.4", "url=" + web.URL + "/go.tar.gz", 200, "SKIP"},
		{"?dir=go1.4/.", "url=" + web.URL + "/none", 200, "SKIP"},
		{"", "url=" + web.URL + "/none", 500, `writetgz: fetching provided URL "` + web.URL + `/none": 404 Not Found` + "\n"},
		{"", "", 400, "missing url POST param\n"},
		{"", "url=file:///etc/passwd", 500, "fetching URL file:///etc/passwd: scheme \"file\" is not supported\n"},
		{"", "url=%zz", 400, ""},
		{"", "url=" + web.URL + "/short", 400, "tar error: unexpected EOF (after 0 entries)\n"},
		{"", "url=http://127.0.0.1:1/x", 500, "fetching URL http://127.0.0.1:1/x: dial tcp 127.0.0.1:1"},
	} {
		status, body := s.post("/writetgz"+tt.query, tt.form)
		if status != tt.status || !strings.HasPrefix(body, tt.text) {
			t.Errorf("POST %s %s: %d %q, want %d %q", tt.query, tt.form, status, body, tt.status, tt.text)
		}
	}
	if s.content("go/bin/go") != "go" || fetched != 3 {
		t.Errorf("fetched %d times", fetched)
	}
	if err := s.client().PutTarURL(t.Context(), web.URL+"/go.tar.gz", "by-client"); err != nil || s.content("by-client/bin/go") != "go" {
		t.Error(err)
	}
}
