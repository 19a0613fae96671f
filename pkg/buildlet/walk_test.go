package buildlet

import (
	"io"
	"os"
	"strings"
	"testing"
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
