package memtrim

import (
	"bytes"
	"context"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// resident returns how much of the program's read-only parts is in memory, in
// kB.
func resident(t *testing.T) (sum int) {
	t.Helper()
	text, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Skip(err)
	}
	exe, _ := os.Readlink("/proc/self/exe")
	ours := false
	for line := range bytes.Lines(text) {
		field := strings.Fields(string(line))
		switch {
		case strings.Contains(field[0], "-"):
			_, ours = readOnlyPart(strings.TrimSuffix(string(line), "\n"), exe)
		case field[0] == "Rss:" && ours:
			n, err := strconv.Atoi(field[1])
			if err != nil {
				t.Fatal(err)
			}
			sum += n
		}
	}
	return sum
}

// touch brings the whole program into memory, as a long start would.
func touch(t *testing.T) {
	t.Helper()
	for _, part := range readOnlyParts() {
		if _, _, errno := unix.Syscall(unix.SYS_MADVISE, part.from, part.to-part.from, unix.MADV_POPULATE_READ); errno != 0 {
			t.Skipf("madvise: %v", errno)
		}
	}
}

// The program's pages go, and the program goes on.
func TestTrim(t *testing.T) {
	touch(t)
	before := resident(t)
	Trim()
	after := resident(t)
	t.Logf("%d kB are resident before, %d kB after", before, after)
	if before == 0 || after > before*3/4 {
		t.Errorf("%d kB are resident, %d kB before", after, before)
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
		if _, ok := readOnlyPart(line, "/opt/go build"); ok != want {
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
