package buildlet

import "golang.org/x/sys/unix"

// freeBytes returns how much may be written to the file system of dir.
func freeBytes(dir string) (int64, bool) {
	var st unix.Statfs_t
	if unix.Statfs(dir, &st) != nil {
		return 0, false
	}
	return st.F_bavail * int64(st.F_bsize), true
}
