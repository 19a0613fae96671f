//go:build !plan9

package supervise

import "github.com/gofrs/flock"

// tryLock takes the lock of file without waiting.
func tryLock(file string) (release func(), err error) {
	lock := flock.New(file, flock.SetPermissions(0o644))
	ok, err := lock.TryLock()
	switch {
	case err != nil:
		return nil, err
	case !ok:
		lock.Close()
		return nil, ErrLocked
	}
	return func() { lock.Unlock() }, nil
}
