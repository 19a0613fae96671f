package doctor

import "golang.org/x/sys/unix"

// volume returns the file system of dir, which has to exist.
func (e *exam) volume(dir string) (volume, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return volume{}, err
	}
	unit := uint64(st.F_bsize)
	return volume{
		total: st.F_blocks * unit, free: uint64(max(st.F_bavail, 0)) * unit,
		inodes: st.F_files, inodesFree: st.F_ffree,
		kind: cstring(st.F_fstypename[:]),
	}, nil
}
