package supervise

import (
	"errors"
	"io/fs"
	"os"
	"strings"
)

// tryLock takes the lock of file without waiting: a file of exclusive use can
// be open once.
func tryLock(file string) (release func(), err error) {
	if info, err := os.Stat(file); err == nil && info.Mode()&fs.ModeExclusive == 0 {
		if err := os.Chmod(file, info.Mode()|fs.ModeExclusive); err != nil {
			return nil, err
		}
	}
	f, err := os.OpenFile(file, os.O_RDONLY|os.O_CREATE, 0o644|fs.ModeExclusive)
	if err == nil {
		return func() { f.Close() }, nil
	}
	for _, text := range []string{"locked", "exclusive"} {
		if strings.Contains(err.Error(), text) {
			return nil, errors.Join(ErrLocked, err)
		}
	}
	return nil, err
}
