package doctor

import "golang.org/x/sys/unix"

// volume returns the file system of dir, which has to exist.
func (e *exam) volume(dir string) (volume, error) {
	var st unix.Statvfs_t
	if err := unix.Statvfs(dir, &st); err != nil {
		return volume{}, err
	}
	return volume{
		total: st.Blocks * st.Frsize, free: st.Bavail * st.Frsize,
		inodes: st.Files, inodesFree: st.Ffree,
		kind: cstring(st.Basetype[:]),
	}, nil
}
