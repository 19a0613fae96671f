//go:build unix && !aix && !solaris

package botcert

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// On aix and solaris, package syscall has no Mkfifo.

// A named pipe is read, and does not keep waiting who reads it.
func TestNamedPipe(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _, err := ReadKey(pipe)
		wantError(t, err, "the file is empty", "")

		// In the way of a new file it is moved aside as any other.
		kept, err := writeAll([]newFile{{pipe, []byte("new")}}, true, now)
		if err != nil || len(kept) != 1 {
			t.Errorf("kept %v, %v", kept, err)
			return
		}

		w, err := os.OpenFile(kept[0], os.O_RDWR, 0)
		if err != nil {
			t.Error(err)
			return
		}
		go func() {
			time.Sleep(10 * time.Millisecond) // so that the reader has to wait
			w.Write(keyPEM(testKey()))
			w.Close()
		}()
		if key, _, err := ReadKey(kept[0]); err != nil || !testKey().Equal(key) {
			t.Errorf("a key through a pipe: %v", err)
		}
	}()
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		t.Fatal("it waits for ever")
	}
}
