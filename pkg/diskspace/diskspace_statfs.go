//go:build aix || darwin || dragonfly || freebsd

package diskspace

import "golang.org/x/sys/unix"

// Of returns the space of the file system of dir, which has to exist, and
// whether it could be measured.
func Of(dir string) (Space, bool) {
	var st unix.Statfs_t
	if unix.Statfs(dir, &st) != nil {
		return Space{}, false
	}
	unit := int64(st.Bsize)
	return Space{Total: int64(st.Blocks) * unit, Free: int64(st.Bavail) * unit}, true
}
