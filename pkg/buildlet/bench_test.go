package buildlet

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"strconv"
	"testing"
)

// The benchmarks beside upstream's buildlet are in the interop module; these
// show where the time goes.

// benchTree is an archive of 1,000 files in 20 directories.
func benchTree(b *testing.B) (packed []byte, size int64) {
	var entries []tar.Header
	for i := range 1000 {
		text := fmt.Sprintf("package p%d\n\n// %0*d\n", i, 3000+i, i)
		entries = append(entries, file(fmt.Sprintf("src/p%d/file%d.go", i%20, i), text))
		size += int64(len(text))
	}
	packed, err := io.ReadAll(archive(b, entries...))
	if err != nil {
		b.Fatal(err)
	}
	return packed, size
}

func BenchmarkUntar(b *testing.B) {
	packed, size := benchTree(b)
	s := serve(b, Options{})
	b.SetBytes(size)
	for b.Loop() {
		if err := s.untar(bytes.NewReader(packed), "go"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTgz(b *testing.B) {
	packed, size := benchTree(b)
	s := serve(b, Options{})
	if err := s.untar(bytes.NewReader(packed), "go"); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(size)
	for b.Loop() {
		if err := s.tarTo(io.Discard, "go"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkExec(b *testing.B) {
	c := serve(b, Options{}).client()
	for b.Loop() {
		if state, err := c.Exec(b.Context(), "true", ExecOptions{SystemLevel: true}); err != nil || !state.OK() {
			b.Fatal(state, err)
		}
	}
}

func BenchmarkExecOutput(b *testing.B) {
	const size = 64 << 20
	c := serve(b, Options{}).client()
	b.SetBytes(size)
	for b.Loop() {
		n := &countWriter{w: io.Discard}
		state, err := c.Exec(b.Context(), "head", ExecOptions{SystemLevel: true, Args: []string{"-c", strconv.Itoa(size), "/dev/zero"}, Output: n})
		if err != nil || !state.OK() || n.n != size {
			b.Fatal(state, n.n, err)
		}
	}
}
