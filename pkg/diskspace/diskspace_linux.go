package diskspace

import "golang.org/x/sys/unix"

// Of returns the space of the file system of dir, which has to exist, and
// whether it could be measured.
func Of(dir string) (Space, bool) {
	var st unix.Statfs_t
	if unix.Statfs(dir, &st) != nil {
		return Space{}, false
	}
	return spaceOf(&st), true
}

// spaceOf counts in fragments, as the kernel does. Blocks, which are what is
// best read at once, may be larger on what FUSE mounts.
func spaceOf(st *unix.Statfs_t) Space {
	unit := int64(st.Frsize)
	if unit == 0 {
		unit = int64(st.Bsize)
	}
	return Space{Total: int64(st.Blocks) * unit, Free: int64(st.Bavail) * unit}
}
