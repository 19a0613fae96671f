//go:build !windows && !plan9

package builderkey

import (
	"fmt"
	"io/fs"
	"syscall"
)

// exposure says who may read the key file besides its owner, or "". A file
// of root's that a group may read is how a service is handed its key.
func exposure(file string, info fs.FileInfo) string {
	stat, ok := info.Sys().(*syscall.Stat_t)
	mode := info.Mode().Perm()
	switch {
	case mode&0o007 != 0:
		return fmt.Sprintf("%s has mode %04o: everybody on this machine can get at the key; chmod 600 %s", file, mode, file)
	case mode&0o070 != 0 && (!ok || stat.Uid != 0):
		return fmt.Sprintf("%s has mode %04o: its group can get at the key; chmod 600 %s", file, mode, file)
	}
	return ""
}
