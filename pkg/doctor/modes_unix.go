//go:build unix

package doctor

import (
	"fmt"
	"io/fs"
	"os/user"
	"path/filepath"
	"syscall"
)

// exposure says who may read a file besides its owner, or is empty.
func exposure(info fs.FileInfo) string {
	switch mode := info.Mode().Perm(); {
	case mode&0o004 != 0:
		return fmt.Sprintf("everybody can read it (mode %04o)", mode)
	case mode&0o040 != 0:
		return fmt.Sprintf("its group can read it (mode %04o)", mode)
	}
	return ""
}

// modeAndOwner writes who may do what with a file.
func modeAndOwner(info fs.FileInfo) string {
	text := fmt.Sprintf("mode %04o", info.Mode().Perm())
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		text += " of " + userName(st.Uid)
	}
	return text
}

// hiddenFrom returns why the ordinary users of the machine cannot read a file,
// or "": the first directory on the way that they cannot pass, or its mode.
// Of a file that belongs to an ordinary user it is taken that this is the one
// who is meant to.
func hiddenFrom(stat func(string) (fs.FileInfo, error), file string) string {
	for dir := filepath.Dir(file); ; dir = filepath.Dir(dir) {
		info, err := stat(dir)
		if err != nil {
			return err.Error()
		}
		if info.Mode().Perm()&0o001 == 0 && ownedByRoot(info) {
			return fmt.Sprintf("directory %s lets nobody through (%s)", dir, modeAndOwner(info))
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	info, err := stat(file)
	if err != nil {
		return err.Error()
	}
	if info.Mode().Perm()&0o004 == 0 && ownedByRoot(info) {
		return modeAndOwner(info)
	}
	return ""
}

func ownedByRoot(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && st.Uid == 0
}

func userName(uid uint32) string {
	if u, err := user.LookupId(fmt.Sprint(uid)); err == nil {
		return u.Username
	}
	return fmt.Sprintf("uid %d", uid)
}
