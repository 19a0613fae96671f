package doctor

import "golang.org/x/sys/unix"

// volume returns the file system of dir, which has to exist.
func (e *exam) volume(dir string) (volume, error) {
	var st unix.Statvfs_t
	if err := unix.Statvfs(dir, &st); err != nil {
		return volume{}, err
	}
	unit := uint64(st.Frsize)
	return volume{
		total: uint64(st.Blocks) * unit, free: uint64(st.Bavail) * unit,
		inodes: uint64(st.Files), inodesFree: uint64(st.Ffree),
		kind: cstring(st.Fstypename[:]),
	}, nil
}
