package doctor

import (
	"bytes"
	"io"
	"os"
	"runtime"
	"testing"
)

// endless repeats a text up to a number of bytes.
type endless struct {
	text []byte
	at   int
	left int64
}

func (e *endless) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(int64(len(p)), e.left)], e.text[e.at:])
	e.at = (e.at + n) % len(e.text)
	e.left -= int64(n)
	return n, nil
}

// A log of 100 MB takes no more memory than a short one, whether it is good
// lines, bad lines, one line, or no text at all.
func TestExplainMemory(t *testing.T) {
	healthy, err := os.ReadFile("testdata/explain/healthy-bot.log")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{
		"healthy":     healthy,
		"failing":     []byte("Nov 24 04:00:01 bob sudo: a password is required\n"),
		"one line":    bytes.ReplaceAll(healthy, []byte("\n"), []byte(" ")),
		"no text":     bytes.Repeat([]byte{0xff, 0, 0x1b}, 1000),
		"status file": []byte(`{"tokend_version": "1.2", `),
	} {
		t.Run(name, func(t *testing.T) {
			size := int64(20 << 20)
			if name == "healthy" && !testing.Short() {
				size = 100 << 20
			}
			Explain(bytes.NewReader(text)) // what is made once
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			if _, err := Explain(&endless{text: text, left: size}); err != nil {
				t.Fatal(err)
			}
			runtime.ReadMemStats(&after)
			if grown := int64(after.HeapSys) - int64(before.HeapSys); grown > 40<<20 {
				t.Errorf("%d MB took %d MB of heap", size>>20, grown>>20)
			}
		})
	}
}

func BenchmarkExplain(b *testing.B) {
	healthy, err := os.ReadFile("testdata/explain/healthy-bot.log")
	if err != nil {
		b.Fatal(err)
	}
	failing, err := os.ReadFile("testdata/explain/bootstrapswarm.log")
	if err != nil {
		b.Fatal(err)
	}
	for _, bm := range []struct {
		name string
		text []byte
	}{
		{"healthy", healthy},
		{"failing", failing},
		{"one in a thousand", append(bytes.Repeat(healthy, 1000*bytes.Count(failing, []byte("\n"))/bytes.Count(healthy, []byte("\n"))), failing...)},
	} {
		b.Run(bm.name, func(b *testing.B) {
			Explain(bytes.NewReader(bm.text))
			const size = 8 << 20
			b.SetBytes(size)
			b.ReportAllocs()
			lines := 0.0
			for b.Loop() {
				Explain(&endless{text: bm.text, left: size})
				lines += size * float64(bytes.Count(bm.text, []byte("\n"))) / float64(len(bm.text))
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/lines, "ns/line")
		})
	}
}

// What the first use costs; the start of the program has nothing of it.
func BenchmarkExplainFirst(b *testing.B) {
	for b.Loop() {
		newFinder(newTable())
	}
}
