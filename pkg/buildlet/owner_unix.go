//go:build unix

package buildlet

import (
	"io/fs"
	"os"
	"syscall"
)

// ours reports whether this process's user owns the file.
func ours(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Geteuid()
}
