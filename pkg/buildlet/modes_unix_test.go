//go:build unix

package buildlet

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// A file gets exactly its mode, whatever the umask and whatever was there.
func TestWriteModes(t *testing.T) {
	old := syscall.Umask(0o077)
	defer syscall.Umask(old)
	s := serve(t, Options{})
	for _, before := range []string{"new", "there"} {
		for _, mode := range []fs.FileMode{0, 0o400, 0o600, 0o644, 0o666, 0o755, 0o777,
			fs.ModeSetuid | 0o755, fs.ModeSetgid | 0o755, fs.ModeSticky | 0o644} {
			name := fmt.Sprintf("%s-%o", before, uint32(mode))
			if before == "there" {
				s.put(name, "old", 0o640)
			}
			path := fmt.Sprintf("/write?path=%s&mode=%d", name, uint32(mode))
			if status, body := s.do("PUT", path, strings.NewReader("new")); status != 200 {
				t.Fatalf("mode %v: %d %q", mode, status, body)
			}
			if info, err := os.Stat(s.path(name)); err != nil || info.Mode() != mode {
				t.Errorf("%s: mode %v, want %v (%v)", name, info.Mode(), mode, err)
			}
		}
	}
}

// A program that runs can be written anew.
func TestWriteRunningProgram(t *testing.T) {
	s := serve(t, Options{})
	self, err := os.Open("/bin/sleep")
	if err != nil {
		t.Skip(err)
	}
	defer self.Close()
	c := s.client()
	if err := c.Put(t.Context(), self, "prog", 0o755); err != nil {
		t.Fatal(err)
	}
	started, ended := make(chan struct{}), make(chan error)
	go func() {
		_, err := c.Exec(t.Context(), "./prog", ExecOptions{Args: []string{"1"}, Dir: ".", OnStart: func() { close(started) }})
		ended <- err
	}()
	<-started
	if err := c.Put(t.Context(), strings.NewReader("#!/bin/sh\n"), "prog", 0o755); err != nil {
		t.Error(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// mkfifo makes a fifo. Package syscall can do so on some systems only.
func mkfifo(t testing.TB, path string, mode fs.FileMode) {
	t.Helper()
	if out, err := exec.Command("mkfifo", path).CombinedOutput(); err != nil {
		t.Fatalf("mkfifo: %v: %s", err, out)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// Nothing that is not a regular file is read, and nothing waits for a fifo's
// other end.
func TestReadFifo(t *testing.T) {
	s := serve(t, Options{})
	mkfifo(t, s.path("fifo"), 0o644)
	within(t, "the fifo is refused", func() {
		for _, tt := range []struct {
			path   string
			status int
			text   string
		}{
			{"/read?path=fifo", 400, `"fifo" is not a regular file but prw-r--r--`},
			{"/ls?dir=fifo&digest=true", 200, "prw-r--r--\t\n"},
			{"/ls?digest=true", 200, "prw-r--r--\tfifo\n"},
			{"/tgz?dir=fifo", 200, ""},
			{"/tgz?dir=.", 200, ""},
		} {
			if status, body := s.do("GET", tt.path, nil); status != tt.status || !strings.Contains(body, tt.text) {
				t.Errorf("GET %s: %d %q, want %d %q", tt.path, status, body, tt.status, tt.text)
			}
		}
		if status, body := s.do("PUT", "/write?mode=420&path=fifo", strings.NewReader("now a file")); status != 200 || s.content("fifo") != "now a file" {
			t.Errorf("PUT to the fifo: %d %q", status, body)
		}
	})
}
