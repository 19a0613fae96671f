package supervise

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What a command starts before it is in its job object would escape it.
func TestGroupWaitsForItsJob(t *testing.T) {
	dir := t.TempDir()
	made := filepath.Join(dir, "made")
	cmd := exec.Command("cmd", "/c", "echo x>made")
	cmd.Dir = dir
	group := NewGroup(cmd, "")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(500 * time.Millisecond) // enough for it to show itself, if it ran
	if _, err := os.Stat(made); err == nil {
		t.Error("it runs before it is in its job object")
	}
	if err := group.Started(); err != nil {
		t.Fatal(err)
	}
	defer group.Close()
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(made); err != nil {
		t.Error(err)
	}
}

// What a command leaves behind ends with it.
func TestGroupEndsWhatIsLeft(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "left.bat"), []byte("@echo off\r\nping -n 30 127.0.0.1 >nul\r\necho survived\r\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("cmd", "/c", "start /b cmd /c left.bat & echo done")
	cmd.Dir, cmd.Stdout = dir, w
	group := NewGroup(cmd, "")
	err = cmd.Start()
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	if err := group.Started(); err != nil {
		t.Fatal(err)
	}
	defer group.Close()
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
	out, err := io.ReadAll(r)
	if err != nil || strings.TrimSpace(string(out)) != "done" {
		t.Errorf("output %q, %v", out, err)
	}
}

func TestLockWindows(t *testing.T) {
	file := filepath.Join(t.TempDir(), "lock")
	release, err := Lock(file)
	if err != nil {
		t.Fatal(err)
	}
	if !Locked(file) {
		t.Error("not locked")
	}
	release()
	if Locked(file) {
		t.Error("still locked")
	}
}
