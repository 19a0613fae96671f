package gomote_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gobuild/pkg/api"
	"gobuild/pkg/gomote"
	"gobuild/pkg/hint"
)

func readFile(t *testing.T, file string) (content string, mode fs.FileMode) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text), info.Mode()
}

func writeFile(t *testing.T, file, content string, mode fs.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, mode); err != nil {
		t.Fatal(err)
	}
}

// wantNames checks what is in a directory.
func wantNames(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s holds %q, want %q", dir, got, want)
	}
}

// counter is a Progress that remembers.
type counter struct {
	calls       int
	done, total int64
}

func (c *counter) tell(done, total int64) { c.calls, c.done, c.total = c.calls+1, done, total }

// A file goes there and comes back as it was, by the addition and by way of
// an archive.
func TestPutAndGet(t *testing.T) {
	for name, wrap := range map[string]func(http.Handler) http.Handler{"ours": asIs, "upstream": upstream} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, wrap)
			content := strings.Repeat("0123456789abcdef", 1<<16)
			var up, down counter
			if err := b.Put(within(t), strings.NewReader(content), int64(len(content)), "dir/file", 0o750, up.tell); err != nil {
				t.Fatal(err)
			}
			if got, mode := readFile(t, filepath.Join(b.work, "dir/file")); got != content || mode != 0o750 {
				t.Errorf("put %d bytes, mode %v", len(got), mode)
			}
			if up.done != int64(len(content)) || up.total != up.done {
				t.Errorf("told %+v of the way there", up)
			}
			dir := t.TempDir()
			file := filepath.Join(dir, "file")
			writeFile(t, file, "old", 0o600)
			n, err := b.Get(within(t), "dir/file", file, nil, down.tell)
			if err != nil || n != int64(len(content)) {
				t.Fatalf("%d bytes, %v", n, err)
			}
			if got, mode := readFile(t, file); got != content || mode != 0o750 {
				t.Errorf("got %d bytes, mode %v", len(got), mode)
			}
			if down.done != n || down.total != n {
				t.Errorf("told %+v of the way back", down)
			}
			wantNames(t, dir, "file")
			var out bytes.Buffer
			if _, err := b.Get(within(t), "dir/file", "", &out, nil); err != nil || out.String() != content {
				t.Errorf("%d bytes, %v", out.Len(), err)
			}
			// What cannot be fetched leaves what was there.
			for _, bad := range []string{"dir/none", "none/none", "dir"} {
				if _, err := b.Get(within(t), bad, file, nil, nil); err == nil {
					t.Errorf("%s was fetched", bad)
				}
			}
			if got, _ := readFile(t, file); got != content {
				t.Error("the file has changed")
			}
			wantNames(t, dir, "file")
		})
	}
}

// breaking makes the buildlet send half of what it is asked for below path.
func breaking(path string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		next = upstreamIf(path == "/tgz", next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != path {
				next.ServeHTTP(w, r)
				return
			}
			next.ServeHTTP(&half{ResponseWriter: w, left: 1000}, r)
			panic(http.ErrAbortHandler)
		})
	}
}

func upstreamIf(is bool, h http.Handler) http.Handler {
	if is {
		return upstream(h)
	}
	return h
}

// half takes some bytes of an answer and no more.
type half struct {
	http.ResponseWriter
	left int
}

func (h *half) Unwrap() http.ResponseWriter { return h.ResponseWriter }

func (h *half) Write(p []byte) (int, error) {
	if len(p) > h.left {
		h.ResponseWriter.Write(p[:h.left])
		http.NewResponseController(h.ResponseWriter).Flush()
		h.left = 0
		return 0, errBadDisk
	}
	h.left -= len(p)
	return h.ResponseWriter.Write(p)
}

// noise is what gzip cannot make small.
func noise() string {
	b := make([]byte, 100_000)
	for i, x := 0, uint32(1); i < len(b); i++ {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	return string(b)
}

// A download that breaks off leaves the old file, and nothing else.
func TestDownloadBreaksOff(t *testing.T) {
	for _, path := range []string{"/read", "/tgz"} {
		t.Run(path, func(t *testing.T) {
			b := newBench(t, breaking(path))
			writeFile(t, filepath.Join(b.work, "file"), noise(), 0o644)
			dir := t.TempDir()
			file := filepath.Join(dir, "file")
			writeFile(t, file, "old", 0o600)
			for name, fetch := range map[string]func(file string) error{
				"get":    func(file string) error { _, err := b.Get(within(t), "file", file, nil, nil); return err },
				"gettar": func(file string) error { _, err := b.GetTar(within(t), ".", file, nil, nil); return err },
			} {
				if name == "gettar" && path == "/read" {
					continue
				}
				err := fetch(file)
				if err == nil || !strings.Contains(err.Error(), file+" not written: after ") || !strings.Contains(hint.Of(err), "untouched") {
					t.Errorf("%s: error %v, hint %q", name, err, hint.Of(err))
				}
				if got, mode := readFile(t, file); got != "old" || mode != 0o600 {
					t.Errorf("%s: the file is now %.20q, %v", name, got, mode)
				}
				wantNames(t, dir, "file")
				if err := fetch(filepath.Join(dir, "new")); err == nil {
					t.Errorf("%s: no error", name)
				}
				wantNames(t, dir, "file")
			}
		})
	}
}

// badReader gives some bytes and fails.
type badReader struct{ n int }

var errBadDisk = errors.New("the local disk is bad")

func (r *badReader) Read(p []byte) (int, error) {
	if r.n == 0 {
		return 0, errBadDisk
	}
	n := min(len(p), r.n)
	r.n -= n
	return n, nil
}

// An upload that breaks off leaves the old file there, and nothing else.
func TestUploadBreaksOff(t *testing.T) {
	b := newBench(t, asIs)
	if err := b.Put(within(t), strings.NewReader("old"), -1, "dir/file", 0o644, nil); err != nil {
		t.Fatal(err)
	}
	err := b.Put(within(t), &badReader{1 << 20}, -1, "dir/file", 0o644, nil)
	if !errors.Is(err, errBadDisk) {
		t.Errorf("error %v", err)
	}
	if got, _ := readFile(t, filepath.Join(b.work, "dir/file")); got != "old" {
		t.Errorf("the file is now %.20q", got)
	}
	// The machine learns of the break a moment later.
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if left, _ := filepath.Glob(filepath.Join(b.work, "dir", ".*")); len(left) == 0 {
			break
		}
	}
	wantNames(t, filepath.Join(b.work, "dir"), "file")
}

// What comes of an upload that was given up is that, not the word of who
// missed the rest of it.
func TestUploadGivenUp(t *testing.T) {
	ctx, cancel := context.WithCancel(within(t))
	defer cancel()
	b := newBench(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/write" {
				cancel()
				http.Error(w, "the rest is missing", http.StatusInternalServerError)
				return
			}
			next.ServeHTTP(w, r)
		})
	})
	pr, pw := io.Pipe()
	defer pw.Close()
	if err := b.Put(ctx, pr, -1, "file", 0o644, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestTar(t *testing.T) {
	b := newBench(t, asIs)
	var archive bytes.Buffer
	zw := gzip.NewWriter(&archive)
	tw := tar.NewWriter(zw)
	for name, text := range map[string]string{"a.txt": "alpha", "sub/b.txt": "beta"} {
		tw.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(text))})
		io.WriteString(tw, text)
	}
	tw.Close()
	zw.Close()
	var up counter
	if err := b.PutTar(within(t), &archive, int64(archive.Len()), "tree", up.tell); err != nil {
		t.Fatal(err)
	}
	if up.done == 0 || up.done != up.total {
		t.Errorf("told %+v", up)
	}
	if got, _ := readFile(t, filepath.Join(b.work, "tree/sub/b.txt")); got != "beta" {
		t.Errorf("unpacked %q", got)
	}
	file := filepath.Join(t.TempDir(), "tree.tar.gz")
	n, err := b.GetTar(within(t), "tree", file, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if text, mode := readFile(t, file); int64(len(text)) != n || mode&0o077 & ^fs.FileMode(0o044) != 0 {
		t.Errorf("%d bytes written, %d told of; mode %v", len(text), n, mode)
	}
	var out bytes.Buffer
	if _, err := b.GetTar(within(t), "tree", "", &out, nil); err != nil {
		t.Fatal(err)
	}
	zr, err := gzip.NewReader(&out)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for tr := tar.NewReader(zr); ; {
		h, err := tr.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
	}
	for _, want := range []string{"a.txt", "sub/b.txt"} {
		if !slices.Contains(names, want) {
			t.Errorf("the archive has %q, not %s", names, want)
		}
	}
	if _, err := b.GetTar(within(t), "none", file, nil, nil); err == nil {
		t.Error("a directory that is not there was fetched")
	}
	if err := b.PutTar(within(t), strings.NewReader("no archive"), -1, "", nil); err == nil {
		t.Error("what is no archive was unpacked")
	}
}

// What is no regular file is written to, and stays what it is; a link is
// followed.
func TestGetIntoSpecialFiles(t *testing.T) {
	if runtime.GOOS == "windows" || runtime.GOOS == "plan9" {
		t.Skip("no /dev/null")
	}
	b := newBench(t, asIs)
	writeFile(t, filepath.Join(b.work, "file"), "content", 0o644)
	dir := t.TempDir()
	null := filepath.Join(dir, "null")
	if err := os.Symlink(os.DevNull, null); err != nil {
		t.Fatal(err)
	}
	if n, err := b.Get(within(t), "file", null, nil, nil); err != nil || n != 7 {
		t.Errorf("%d bytes, %v", n, err)
	}
	if info, err := os.Stat(os.DevNull); err != nil || info.Mode().IsRegular() {
		t.Fatalf("%s is now %v, %v", os.DevNull, info.Mode(), err)
	}
	writeFile(t, filepath.Join(dir, "real"), "old", 0o644)
	link := filepath.Join(dir, "link")
	if err := os.Symlink("real", link); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Get(within(t), "file", link, nil, nil); err != nil {
		t.Error(err)
	}
	if got, _ := readFile(t, filepath.Join(dir, "real")); got != "content" {
		t.Errorf("behind the link is %q", got)
	}
	wantNames(t, dir, "link", "null", "real")
}

// Errors name the file that was asked for, not a temporary one.
func TestGetNowhere(t *testing.T) {
	b := newBench(t, asIs)
	writeFile(t, filepath.Join(b.work, "file"), "content", 0o644)
	file := filepath.Join(t.TempDir(), "none", "file")
	_, err := b.Get(within(t), "file", file, nil, nil)
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), file+" not written: ") || strings.Contains(err.Error(), ".gobuild-") {
		t.Errorf("error %v", err)
	}
	_, err = b.Get(within(t), "file", filepath.Dir(filepath.Dir(file)), nil, nil)
	if err == nil || !strings.Contains(err.Error(), "directory") {
		t.Errorf("error %v", err)
	}
}

// The machine fetches a revision itself; the session adds what makes it build.
func TestPutRevision(t *testing.T) {
	var mu sync.Mutex
	var fetched []string
	b := newBench(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/writetgz" {
				next.ServeHTTP(w, r)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			fetched = append(fetched, r.FormValue("url")+" into "+r.URL.Query().Get("dir"))
			if strings.Contains(r.FormValue("url"), "bad") {
				http.Error(w, "no such revision", http.StatusInternalServerError)
			}
		})
	})
	if err := b.PutTarURL(within(t), "https://example/x.tar.gz", "x"); err != nil {
		t.Error(err)
	}
	for dir, file := range map[string]string{"": "VERSION", "go": "go/VERSION", "go1/": "go1/VERSION"} {
		if err := b.PutRevision(within(t), "8e1fdea8316d", dir); err != nil {
			t.Fatal(err)
		}
		if got, _ := readFile(t, filepath.Join(b.work, file)); got != "devel 8e1fdea8316d" {
			t.Errorf("%s: %q", file, got)
		}
	}
	if err := b.PutRevision(within(t), "bad0000", "bad"); err == nil || !strings.Contains(err.Error(), "no such revision") {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(filepath.Join(b.work, "bad")); err == nil {
		t.Error("a revision that is not there has a VERSION")
	}
	mu.Lock()
	defer mu.Unlock()
	slices.Sort(fetched)
	want := []string{
		"https://example/x.tar.gz into x",
		"https://go.googlesource.com/go/+archive/8e1fdea8316d.tar.gz into ",
		"https://go.googlesource.com/go/+archive/8e1fdea8316d.tar.gz into go",
		"https://go.googlesource.com/go/+archive/8e1fdea8316d.tar.gz into go1/",
		"https://go.googlesource.com/go/+archive/bad0000.tar.gz into bad",
	}
	if !slices.Equal(fetched, want) {
		t.Errorf("fetched %q", fetched)
	}
}

func TestIsRevision(t *testing.T) {
	for name, want := range map[string]bool{
		"8e1fdea": true, "8e1fdea8316d": true, strings.Repeat("a", 40): true,
		"": false, "8e1fde": false, strings.Repeat("a", 41): false, "8E1FDEA": false,
		"go1.22": false, "8e1fdea.tar.gz": false, "master": false, "8e1fdea\n": false,
	} {
		if got := gomote.IsRevision(name); got != want {
			t.Errorf("IsRevision(%q) = %v", name, got)
		}
	}
}

// What comes of an instance that has ended is the coordinator's own word.
func TestEndedInstance(t *testing.T) {
	b := newBench(t, asIs)
	id := b.Instance().ID
	if err := b.client.Destroy(within(t), id); err != nil {
		t.Fatal(err)
	}
	_, pingErr := b.Ping(within(t))
	putErr := b.Put(within(t), strings.NewReader("x"), 1, "x", 0o644, nil)
	_, openErr := gomote.Open(within(t), b.client, principal, b.key, id)
	for _, err := range []error{pingErr, putErr, openErr} {
		if e, ok := errors.AsType[*api.Error](err); !ok || e.Code != api.CodeGone || !strings.Contains(err.Error(), "user-joe destroyed it") {
			t.Errorf("error %v", err)
		}
	}
}
