//go:build netbsd || solaris

package buildlet

import "golang.org/x/sys/unix"

// freeBytes returns how much may be written to the file system of dir.
func freeBytes(dir string) (int64, bool) {
	var st unix.Statvfs_t
	if unix.Statvfs(dir, &st) != nil {
		return 0, false
	}
	return int64(st.Bavail) * int64(st.Frsize), true
}
