package machinetoken

import (
	"os"
	"strings"
)

// lockPath opens a file that one process at a time may have open; it makes it
// if need be. The flock package does not know this way of Plan 9.
func lockPath(path string) (release func() error, err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, os.ModeExclusive|0o600)
	if err == nil {
		return f.Close, nil
	}
	for _, text := range []string{"exclusive use file already open", "file is locked", "exclusive lock"} {
		if strings.Contains(err.Error(), text) {
			return nil, errHeld
		}
	}
	return nil, err
}
