package doctor

import "golang.org/x/sys/unix"

// volume returns the file system of dir, which has to exist. AIX gives a
// number for its kind.
func (e *exam) volume(dir string) (volume, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return volume{}, err
	}
	return volume{
		total: st.Blocks * st.Bsize, free: st.Bavail * st.Bsize,
		inodes: st.Files, inodesFree: st.Ffree,
	}, nil
}
