//go:build !plan9

package machinetoken

import (
	"os"

	"github.com/gofrs/flock"
)

// lockPath locks a file, which it makes if need be.
func lockPath(path string) (release func() error, err error) {
	l := flock.New(path, flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o600))
	ok, err := l.TryLock()
	if err != nil {
		return nil, err
	}
	if !ok {
		l.Close()
		return nil, errHeld
	}
	return l.Close, nil
}
