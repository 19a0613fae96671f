package buildlet

import (
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

// What a command removes, while the directory is being listed or packed, is
// left out.
func TestWalkWhileChanging(t *testing.T) {
	s := serve(t, Options{})
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
			}
			os.MkdirAll(s.path("d/sub/deep"), 0o755)
			os.WriteFile(s.path("d/sub/f"), []byte("x"), 0o644)
			os.WriteFile(s.path("d/sub/deep/f"), []byte("x"), 0o644)
			os.RemoveAll(s.path("d/sub"))
		}
	}()
	for range 300 {
		if status, body := s.do("GET", "/ls?recursive=true&digest=true", nil); status != 200 || !strings.Contains(body, "\ttmp/\n") {
			t.Errorf("ls: %d %q", status, body)
			break
		}
		body, err := s.client().GetTar(t.Context(), ".")
		if err == nil {
			_, err = io.Copy(io.Discard, body)
			body.Close()
		}
		if err != nil {
			t.Errorf("tgz: %v", err)
			break
		}
	}
	close(stop)
	<-done
}

// Times in an archive are those of the listing: whole seconds, cut off.
func TestTGZTimes(t *testing.T) {
	s := serve(t, Options{})
	s.put("d/f", "x", 0o644)
	at := day.Add(999 * time.Millisecond)
	if err := os.Chtimes(s.path("d/f"), at, at); err != nil {
		t.Fatal(err)
	}
	_, packed := s.do("GET", "/tgz?dir=d", nil)
	s.unpack("e", strings.NewReader(packed))
	for _, dir := range []string{"d", "e"} {
		if _, line := s.do("GET", "/ls?dir="+dir, nil); !strings.HasSuffix(line, "\tf\t1\t2020-02-29T12:00:00Z\n") {
			t.Errorf("%s: %q", dir, line)
		}
	}
}
