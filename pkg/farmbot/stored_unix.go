//go:build unix

package farmbot

import (
	"io/fs"
	"syscall"
)

// stored returns how many bytes a file takes: one with holes takes less than
// its size.
func stored(info fs.FileInfo) int64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return int64(st.Blocks) * 512
	}
	return info.Size()
}
