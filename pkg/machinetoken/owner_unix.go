//go:build unix

package machinetoken

import (
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// otherOwner names the owner of a file if that is not this process's user.
func otherOwner(info fs.FileInfo) string {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || int(st.Uid) == os.Geteuid() {
		return ""
	}
	id := strconv.FormatUint(uint64(st.Uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return "user " + id
}
