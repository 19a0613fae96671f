package interop

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	upstream "golang.org/x/build/buildlet"

	"gobuild/pkg/netdial/dialtest"
)

// Each benchmark does the same work with our buildlet and with upstream's,
// driven by upstream's client, side by side in one run: what counts is the
// ratio.
func eachBuildlet(b *testing.B, bench func(b *testing.B, c upstream.Client)) {
	for _, peer := range []struct {
		name string
		argv []string
	}{
		{"gobuild", []string{"gobuild", "buildlet", "-halt=false"}},
		{"upstream", []string{"buildlet", "-halt=false"}},
	} {
		b.Run(peer.name, func(b *testing.B) {
			addr, work := "localhost:"+port(dialtest.FreeAddr(b)), b.TempDir()
			cmd := exec.Command(filepath.Join(bin, peer.argv[0]), append(peer.argv[1:], "-listen="+addr, "-workdir="+work)...)
			cmd.Env = cleanEnv()
			if err := cmd.Start(); err != nil {
				b.Fatal(err)
			}
			defer func() {
				cmd.Process.Kill()
				cmd.Wait()
			}()
			c := upstream.NewClient(addr, upstream.NoKeyPair)
			defer c.Close() // ends its heartbeats
			deadline := time.Now().Add(patience)
			for {
				if _, err := c.Status(b.Context()); err == nil {
					break
				} else if time.Now().After(deadline) {
					b.Fatal(err)
				}
				time.Sleep(20 * time.Millisecond)
			}
			bench(b, c)
			b.ReportMetric(float64(peakMemory(cmd.Process.Pid))/(1<<20), "peak-MiB")
		})
	}
}

// port returns the port of an address.
func port(addr string) string { return addr[strings.LastIndexByte(addr, ':')+1:] }

// peakMemory returns the largest resident size of a process so far, in bytes.
func peakMemory(pid int) (n int64) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	if i := bytes.Index(status, []byte("VmHWM:")); i >= 0 {
		fmt.Sscanf(string(status[i:]), "VmHWM: %d kB", &n)
	}
	return n << 10
}

// sourceTree is an archive like that of a Go tree: many small files of text.
func sourceTree(b *testing.B) (archive []byte, unpacked int64) {
	rng := rand.New(rand.NewPCG(1, 2))
	files := map[string][]byte{}
	for i := range 4000 {
		text := make([]byte, 500+rng.IntN(12000))
		for j := range text {
			text[j] = "etaoin shrdlu\n\t(){}=:.,"[rng.IntN(23)]
		}
		files[fmt.Sprintf("src/p%d/q%d/file%d.go", i%50, i%7, i)] = text
		unpacked += int64(len(text))
	}
	return makeTar(b, time.Now(), files), unpacked
}

func BenchmarkPutTar(b *testing.B) {
	archive, size := sourceTree(b)
	eachBuildlet(b, func(b *testing.B, c upstream.Client) {
		b.SetBytes(size)
		for b.Loop() {
			if err := c.PutTar(b.Context(), bytes.NewReader(archive), "go"); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkGetTar(b *testing.B) {
	archive, size := sourceTree(b)
	eachBuildlet(b, func(b *testing.B, c upstream.Client) {
		if err := c.PutTar(b.Context(), bytes.NewReader(archive), "go"); err != nil {
			b.Fatal(err)
		}
		b.SetBytes(size)
		for b.Loop() {
			r, err := c.GetTar(b.Context(), "go")
			if err != nil {
				b.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, r); err != nil {
				b.Fatal(err)
			}
			r.Close()
		}
	})
}

func BenchmarkListDigests(b *testing.B) {
	archive, size := sourceTree(b)
	eachBuildlet(b, func(b *testing.B, c upstream.Client) {
		if err := c.PutTar(b.Context(), bytes.NewReader(archive), "go"); err != nil {
			b.Fatal(err)
		}
		b.SetBytes(size)
		for b.Loop() {
			n := 0
			err := c.ListDir(b.Context(), "go", upstream.ListDirOpts{Recursive: true, Digest: true}, func(upstream.DirEntry) { n++ })
			if err != nil || n < 4000 {
				b.Fatal(n, err)
			}
		}
	})
}

func BenchmarkExecTrue(b *testing.B) {
	eachBuildlet(b, func(b *testing.B, c upstream.Client) {
		for b.Loop() {
			if remoteErr, err := c.Exec(b.Context(), "true", upstream.ExecOpts{SystemLevel: true}); err != nil || remoteErr != nil {
				b.Fatal(remoteErr, err)
			}
		}
	})
}

func BenchmarkExecOutput(b *testing.B) {
	const size = 256 << 20
	eachBuildlet(b, func(b *testing.B, c upstream.Client) {
		b.SetBytes(size)
		for b.Loop() {
			var got countWriter
			_, err := c.Exec(b.Context(), "head", upstream.ExecOpts{SystemLevel: true, Output: &got, Args: []string{"-c", fmt.Sprint(size), "/dev/zero"}})
			if err != nil || got != size {
				b.Fatal(got, err)
			}
		}
	})
}

type countWriter int64

func (c *countWriter) Write(p []byte) (int, error) {
	*c += countWriter(len(p))
	return len(p), nil
}
