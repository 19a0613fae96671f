package supervise

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"gobuild/pkg/hint"
)

// ErrLocked is the error for a lock that another process holds.
var ErrLocked = errors.New("it is locked")

// Lock takes the lock file, which it makes if it is not there, for this
// process. If another has it, the error is ErrLocked and names that process if
// it can. The lock ends with release, or with this process however that ends;
// the file stays.
func Lock(file string) (release func(), err error) {
	release, err = tryLock(file)
	switch {
	case errors.Is(err, ErrLocked):
		who := "another process"
		if pid := LockHolder(file); pid > 0 {
			who = fmt.Sprintf("process %d", pid)
		}
		return nil, hint.With(fmt.Errorf("%s: %w by %s", file, ErrLocked, who), "stop that one first, or give this one another directory")
	case err != nil:
		return nil, fmt.Errorf("lock %s: %w", file, err)
	}
	// For people and for the text above; nothing depends on it.
	os.WriteFile(file, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o644)
	return release, nil
}

// LockHolder returns the number of the process that last wrote itself into a
// lock file, or 0.
func LockHolder(file string) int {
	text, err := os.ReadFile(file)
	if err != nil || len(text) > 32 {
		return 0
	}
	pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	return pid
}

// Locked reports whether a process holds the lock of a file, if that file is
// there and this can be told.
func Locked(file string) bool {
	if _, err := os.Stat(file); err != nil {
		return false
	}
	release, err := tryLock(file)
	if err == nil {
		release()
	}
	return errors.Is(err, ErrLocked)
}
