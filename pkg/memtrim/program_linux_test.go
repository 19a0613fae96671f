package memtrim

import (
	"bytes"
	"context"
	"os"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// fileMemory returns how much of the process's resident memory comes from
// files, in kB.
func fileMemory(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		if value, ok := bytes.CutPrefix(line, []byte("RssFile:")); ok {
			n, err := strconv.Atoi(string(bytes.Fields(value)[0]))
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Skip("this kernel does not tell")
	return 0
}

// touch reads the whole program, as a long start would.
func touch(t *testing.T) {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	exe, _ := os.Readlink("/proc/self/exe")
	for line := range bytes.Lines(maps) {
		from, to, ok := readOnlyPart(string(bytes.TrimSuffix(line, []byte("\n"))), exe)
		if !ok {
			continue
		}
		if _, _, errno := unix.Syscall(unix.SYS_MADVISE, from, to-from, unix.MADV_POPULATE_READ); errno != 0 {
			t.Skipf("madvise: %v", errno)
		}
	}
}

// The program's pages go, and the program goes on.
func TestTrim(t *testing.T) {
	touch(t)
	before := fileMemory(t)
	Trim()
	after := fileMemory(t)
	t.Logf("%d kB of files before, %d kB after", before, after)
	if after > before/2 {
		t.Errorf("%d kB of files are resident, %d kB before", after, before)
	}
}

func TestReadOnlyPart(t *testing.T) {
	for line, want := range map[string]bool{
		"00400000-00fe3000 r-xp 00000000 fe:00 123 /opt/go build": true,
		"00fe3000-01da3000 r--p 00be3000 fe:00 123 /opt/go build": true,
		"01da3000-01e8d000 rw-p 019a3000 fe:00 123 /opt/go build": false,
		"00400000-00fe3000 r-xp 00000000 fe:00 123 /lib/libc.so":  false,
		"7ffd1c1f0000-7ffd1c211000 r--p 00000000 00:00 0 [stack]": false,
		"x-00fe3000 r-xp 00000000 fe:00 123 /opt/go build":        false,
		"00fe3000-00fe3000 r-xp 00000000 fe:00 123 /opt/go build": false,
		"": false,
	} {
		if _, _, ok := readOnlyPart(line, "/opt/go build"); ok != want {
			t.Errorf("%q: %v", line, ok)
		}
	}
}

// It ends with its context, and leaves a busy program alone.
func TestWhileIdle(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		WhileIdle(ctx, func() bool { return false })
	}()
	cancel()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		t.Fatal("it does not end")
	}
}
