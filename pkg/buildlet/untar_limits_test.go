package buildlet

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// What an archive declares counts before anything of it is written.
func TestUntarDeclaredSize(t *testing.T) {
	huge := tar.Header{Typeflag: tar.TypeReg, Name: "huge", Mode: 0o644, Size: 1 << 40}
	body := zipped(t, tarball(t, false, file("small", "x"), huge))
	for _, limit := range []int64{0, 1 << 20} {
		s := serve(t, Options{MaxUnpack: limit})
		status, text := s.do("PUT", "/writetgz", bytes.NewReader(body))
		want := "tar file entry \"huge\" of 1099511627776 bytes goes beyond the "
		if status != 413 || !strings.HasPrefix(text, want) || !strings.HasSuffix(text, " (after 1 entries)\n") {
			t.Errorf("limit %d: %d %q", limit, status, text)
		}
		if limit > 0 && !strings.Contains(text, "the limit of 1048576 bytes for one archive") {
			t.Errorf("limit %d is not named: %q", limit, text)
		}
		if got := names(t, s.work); slices.Contains(got, "huge") || !slices.Contains(got, "small") {
			t.Errorf("limit %d: the work directory has %q", limit, got)
		}
	}
}

// A few kilobytes that unpack to much more are stopped at the limit.
func TestUntarBomb(t *testing.T) {
	const limit = 1 << 20
	var entries []tar.Header
	zeros := strings.Repeat("\x00", 400<<10)
	for i := range 40 {
		entries = append(entries, file(fmt.Sprintf("f%02d", i), zeros))
	}
	s := serve(t, Options{MaxUnpack: limit})
	status, text := s.do("PUT", "/writetgz", archive(t, entries...))
	if status != 413 || !strings.Contains(text, `"f02" of 409600 bytes`) || !strings.Contains(text, "(after 2 entries)") {
		t.Errorf("answer %d %q", status, text)
	}
	var total int64
	for _, name := range names(t, s.work) {
		if info, err := os.Stat(s.path(name)); err == nil && info.Mode().IsRegular() {
			total += info.Size()
		}
	}
	if total > limit {
		t.Errorf("%d bytes were written", total)
	}
	// The limit is for one archive.
	for range 3 {
		s.unpack("", archive(t, entries[0], entries[1]))
	}
	// What follows the archive's end is not unpacked, and not read for ever.
	s.unpack("", bytes.NewReader(zipped(t, append(tarball(t, true, file("f", "x")), make([]byte, 8<<20)...))))
}

// The header of an entry, too, is bounded.
func TestUntarEndlessHeader(t *testing.T) {
	for _, kind := range []byte{tar.TypeXHeader, tar.TypeXGlobalHeader, tar.TypeGNULongName, tar.TypeGNULongLink} {
		t.Run(string(kind), func(t *testing.T) {
			head := rawHeader("x", kind, 1<<30)
			s := serve(t, Options{})
			status, text := s.do("PUT", "/writetgz", bytes.NewReader(zipped(t, append(head, bytes.Repeat([]byte("9"), 4<<20)...))))
			if status != 400 || !strings.HasPrefix(text, "tar error: ") {
				t.Errorf("answer %d %q", status, text)
			}
		})
	}
}

// rawHeader makes a header that archive/tar does not write.
func rawHeader(name string, kind byte, size int64) []byte {
	h := make([]byte, 512)
	copy(h, name)
	copy(h[100:], "0000644\x000000000\x000000000\x00")
	copy(h[124:], fmt.Sprintf("%011o\x0000000000000\x00        ", size))
	h[156] = kind
	copy(h[257:], "ustar  \x00")
	sum := 0
	for _, b := range h {
		sum += int(b)
	}
	copy(h[148:], fmt.Sprintf("%06o\x00 ", sum))
	return h
}

// Kinds of regular files that tar programs still write.
func TestUntarOtherRegular(t *testing.T) {
	s := serve(t, Options{})
	for _, kind := range []byte{'\x00', '7'} {
		body := append(rawHeader("f", kind, 1), 'x')
		s.unpack("", bytes.NewReader(zipped(t, append(body, make([]byte, 511+1024)...))))
		if got := s.content("f"); got != "x" {
			t.Errorf("kind %q: %q", kind, got)
		}
		os.Remove(s.path("f"))
	}
	// A sparse file of one hole of 1000 bytes and three bytes behind it.
	h := rawHeader("holes", 'S', 3)
	copy(h[386:], fmt.Sprintf("%011o\x00%011o\x00", 1000, 3))
	copy(h[386+96+1:], fmt.Sprintf("%011o\x00", 1003))
	copy(h[148:], "        ")
	sum := 0
	for _, b := range h {
		sum += int(b)
	}
	copy(h[148:], fmt.Sprintf("%06o\x00 ", sum))
	s.unpack("", bytes.NewReader(zipped(t, append(append(h, "end"...), make([]byte, 509+1024)...))))
	if got := s.content("holes"); got != strings.Repeat("\x00", 1000)+"end" {
		t.Errorf("sparse file of %d bytes: %.20q", len(got), got)
	}
}

// Neither links that were there nor links of the archive itself lead out.
func TestUntarLinksOut(t *testing.T) {
	for _, tt := range []struct {
		name    string
		entries []tar.Header
	}{
		{"through a link", []tar.Header{file("out/new", "x")}},
		{"over a file", []tar.Header{file("out/secret", "x")}},
		{"directory", []tar.Header{dir("out/new", 0o777)}},
		{"mode of a directory", []tar.Header{dir("out/d", 0)}},
		{"link", []tar.Header{link("out/new", "x")}},
		{"hard link there", []tar.Header{file("f", "x"), hardLink("out/new", "f")}},
		{"hard link from there", []tar.Header{hardLink("stolen", "out/secret")}},
		{"link by way of a link", []tar.Header{dir("d", 0o755), link("d/x", ".."), link("l", "d/x/../outside")}},
		{"link below a link", []tar.Header{dir("d/e", 0o755), link("d/e/x", "../.."), link("d/e/x/l", "../../../outside")}},
		{"link to a link", []tar.Header{link("l", "out")}},
		// These lead nowhere when they are made.
		{"chain", []tar.Header{link("l", "d/x/../outside"), dir("d", 0o755), link("d/x", ".."), file("l/new", "x")}},
		{"chain of directories", []tar.Header{link("l", "d/x/../outside"), dir("d", 0o755), link("d/x", ".."), dir("l/new", 0o755)}},
		{"chain, hard", []tar.Header{link("l", "d/x/../outside"), dir("d", 0o755), link("d/x", ".."), hardLink("stolen", "l/secret")}},
		{"hard link to a link", []tar.Header{dir("d/e", 0o755), link("d/e/l", "../../tmp"), hardLink("stolen", "d/e/l")}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := serve(t, Options{})
			check := s.outside("out")
			status, text := s.do("PUT", "/writetgz", archive(t, tt.entries...))
			if status != 400 || !strings.Contains(text, fmt.Sprintf("%q", tt.entries[len(tt.entries)-1].Name)) {
				t.Errorf("answer %d %q", status, text)
			}
			check(t)
			if _, err := os.Lstat(s.path("stolen")); err == nil {
				t.Error("a file from outside has a name inside")
			}
		})
	}
}

// A directory whose place a link has taken is not followed for its mode.
func TestUntarDirectoryReplaced(t *testing.T) {
	s := serve(t, Options{})
	check := s.outside("out")
	s.unpack("", archive(t, dir("e", 0o711), link("e", "tmp")))
	if status, text := s.do("PUT", "/writetgz", archive(t, dir("d", 0o700), link("d", "out"))); status != 400 {
		t.Errorf("answer %d %q", status, text)
	}
	check(t)
	if info, err := os.Stat(s.path("tmp")); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o755 {
		t.Errorf("tmp: mode %v (%v)", info.Mode(), err)
	}
}

// A hard link comes from below the archive's directory only, and one to a
// symbolic link is another such link. What stood in a link's place goes; what
// it was linked with stays.
func TestUntarHardLinks(t *testing.T) {
	s := serve(t, Options{})
	s.put("other/f", "other", 0o644)
	s.unpack("sub", archive(t, link("up", "../other")))
	if status, text := s.do("PUT", "/writetgz?dir=sub", archive(t, hardLink("stolen", "up/f"))); status != 400 || !strings.Contains(text, `"stolen"`) {
		t.Errorf("from outside of the archive's directory: %d %q", status, text)
	}
	again := func() io.Reader {
		return archive(t, file("a", "a"), file("b", "b"), link("l", "a"), hardLink("b", "a"), hardLink("m", "l"), hardLink("d/c", "a"), hardLink("a", "a"))
	}
	s.unpack("sub", again())
	s.unpack("sub", again()) // over itself
	s.unpack("sub", archive(t, file("d/c", "c")))
	if s.content("sub/a") != "a" || s.content("sub/b") != "a" || s.content("sub/d/c") != "c" {
		t.Errorf("contents %q, %q, %q", s.content("sub/a"), s.content("sub/b"), s.content("sub/d/c"))
	}
	if target, err := os.Readlink(s.path("sub/m")); target != "a" {
		t.Errorf("hard link to a link: %q (%v)", target, err)
	}
	if got := names(t, s.path("sub")); !slices.Equal(got, []string{"a", "b", "d", "l", "m", "up"}) {
		t.Errorf("there is %q", got)
	}
}

// Entries without content are bounded too.
func TestUntarEntries(t *testing.T) {
	var entries []tar.Header
	for i := range 300 {
		entries = append(entries, dir(fmt.Sprintf("d%d", i), 0o755))
	}
	s := serve(t, Options{MaxUnpack: 100 * entryCost})
	status, text := s.do("PUT", "/writetgz", archive(t, entries...))
	if status != 413 || !strings.Contains(text, `"d100" of 0 bytes goes beyond the limit of 51200 bytes`) || !strings.Contains(text, "(after 100 entries)") {
		t.Errorf("answer %d %q", status, text)
	}
}

// FuzzUntar: nothing outside changes, nothing temporary stays, no panic.
func FuzzUntar(f *testing.F) {
	f.Add(tarball(f, true, file("a", "a"), dir("d", 0o500), file("d/f", "f"), link("l", "d/f"), hardLink("h", "a")))
	f.Add(tarball(f, true, file("out/new", "x"), file("../x", "x"), file("/x", "x")))
	f.Add(tarball(f, true, link("l", "out"), file("l/x", "x"), hardLink("l/h", "a")))
	f.Add(tarball(f, true, dir("d", 0), link("d/x", ".."), link("l", "d/x/../outside"), file("l/x", "")))
	f.Add(tarball(f, true, tar.Header{Typeflag: tar.TypeChar, Name: "dev", Mode: 0o644}))
	f.Add(tarball(f, true, file(strings.Repeat("long/", 60)+"f", "x")))
	f.Add(rawHeader("x", 'S', 100))
	f.Add([]byte{})
	work := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.Mkdir(filepath.Join(work, "work"), 0o755); err != nil {
			t.Fatal(err)
		}
		s, err := New(Options{WorkDir: filepath.Join(work, "work"), MaxUnpack: 1 << 20, Log: testLog()})
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(filepath.Join(work, "work"))
		defer s.Close()
		outside := filepath.Join(work, "outside")
		if err := os.MkdirAll(outside, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(outside, "secret"), []byte("secret"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(outside, filepath.Join(work, "work", "out")); err != nil {
			t.Skip(err)
		}
		err = s.untar(bytes.NewReader(zipped(t, data)), ".")
		if got := names(t, work); !slices.Equal(got, []string{"outside", "work"}) {
			t.Errorf("beside the work directory: %q (%v)", got, err)
		}
		secret := filepath.Join(outside, "secret")
		info, statErr := os.Stat(secret)
		b, readErr := os.ReadFile(secret)
		if statErr != nil || readErr != nil || string(b) != "secret" || info.Mode().Perm() != 0o600 || len(names(t, outside)) != 1 {
			t.Errorf("outside: %q %q (%v, %v)", names(t, outside), b, statErr, err)
		}
		filepath.WalkDir(s.work, func(path string, d fs.DirEntry, err error) error {
			if strings.HasPrefix(filepath.Base(path), ".gobuild-") && !bytes.Contains(data, []byte(".gobuild-")) {
				t.Errorf("left over: %s", path)
			}
			return nil
		})
	})
}
