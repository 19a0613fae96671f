package machinetoken

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
)

// errHeld says that another process keeps this token fresh.
var errHeld = errors.New("another token daemon is at work")

// tokenLock keeps two daemons from working on one token file. It is the
// system's, so it ends with its process, however that ends; the file beside
// the token file stays. Nobody but the daemon's user can open it: else a task
// of the bot could hold the daemon up.
type tokenLock struct {
	release func() error
	record  *os.File // who holds it; nil where that cannot be written
}

// lockFile returns the file of the lock on a token file.
func lockFile(tokenFile string) string { return tokenFile + ".lock" }

// lockToken takes the lock on a token file. If another process has it, the
// error is errHeld, with what that process wrote about itself.
func lockToken(tokenFile string) (*tokenLock, error) {
	path := lockFile(tokenFile)
	release, err := lockPath(path)
	if errors.Is(err, errHeld) {
		return nil, fmt.Errorf("%w on %s: %s", errHeld, tokenFile, holder(path))
	}
	if err != nil {
		return nil, err
	}
	l := &tokenLock{release: release}
	// Not closed before the lock is given up: on some systems any close of
	// the file ends the lock.
	if l.record, err = os.OpenFile(path, os.O_RDWR, 0); err == nil {
		host, _ := os.Hostname()
		text := fmt.Sprintf("process %d of gobuild tokend on %s", os.Getpid(), host)
		l.record.WriteAt(fmt.Appendf(nil, "%-*s\n", maxHolder-1, text), holderOffset)
	}
	return l, nil
}

func (l *tokenLock) unlock() {
	l.release()
	if l.record != nil {
		l.record.Close()
	}
}

// maxHolder is the length of the record of who holds the lock, in bytes.
const maxHolder = 120

// holderOffset is where the record begins: Windows lets nobody else read the
// byte that is locked.
var holderOffset = map[bool]int64{true: 1}[runtime.GOOS == "windows"]

// holder says who holds a lock.
func holder(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return "a process that left no name"
	}
	defer f.Close()
	text := make([]byte, maxHolder)
	n, err := f.ReadAt(text, holderOffset)
	if name := oneLine(strings.Trim(string(text[:n]), "\x00")); name != "" && (err == nil || errors.Is(err, io.EOF)) {
		return name
	}
	return "a process that left no name"
}
