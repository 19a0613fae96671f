package diskspace

import "golang.org/x/sys/unix"

// Of returns the space of the file system of dir, which has to exist, and
// whether it could be measured.
func Of(dir string) (Space, bool) {
	var st unix.Statfs_t
	if unix.Statfs(dir, &st) != nil {
		return Space{}, false
	}
	unit := int64(st.F_bsize)
	return Space{Total: int64(st.F_blocks) * unit, Free: st.F_bavail * unit}, true
}
