package doctor

import (
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// volume returns the file system of dir, which has to exist.
func (e *exam) volume(dir string) (volume, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return volume{}, err
	}
	unit := uint64(st.Frsize)
	if unit == 0 {
		unit = uint64(st.Bsize)
	}
	return volume{
		total: st.Blocks * unit, free: st.Bavail * unit,
		inodes: st.Files, inodesFree: st.Ffree,
		kind: e.mountKind(dir),
	}, nil
}

// mountKind returns the kind of the file system that dir is on by its name:
// that of the innermost mount, the latest if there are several.
func (e *exam) mountKind(dir string) string {
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	best, kind := -1, ""
	for _, m := range e.mounts() {
		below := m.dir == "/" || dir == m.dir || strings.HasPrefix(dir, m.dir+"/")
		if below && len(m.dir) >= best {
			best, kind = len(m.dir), m.kind
		}
	}
	return kind
}
