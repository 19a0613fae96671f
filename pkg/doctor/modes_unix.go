//go:build unix

package doctor

import (
	"fmt"
	"io/fs"
	"os/user"
	"path/filepath"
	"syscall"

	"gobuild/pkg/account"
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

// hiddenFrom returns why the bot's user cannot read a file, or "": the first
// directory on the way that it cannot pass, or the file's mode. Where that user
// is not known (nil), any ordinary user is meant, and of what belongs to one it
// is taken that this is the one.
func hiddenFrom(bot *account.Account, stat func(string) (fs.FileInfo, error), file string) string {
	for dir := filepath.Dir(file); ; dir = filepath.Dir(dir) {
		info, err := stat(dir)
		if err != nil {
			return err.Error()
		}
		if !allows(info, bot, 0o001) {
			return fmt.Sprintf("directory %s does not let it through (%s)", dir, modeAndOwner(info))
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	info, err := stat(file)
	if err != nil {
		return err.Error()
	}
	if !allows(info, bot, 0o004) {
		return modeAndOwner(info)
	}
	return ""
}

// allows reports whether the mode of a file gives the bot's user a right,
// which is that of the others in a mode.
func allows(info fs.FileInfo, bot *account.Account, right fs.FileMode) bool {
	if st, ok := info.Sys().(*syscall.Stat_t); !ok || bot == nil {
		return !ok || info.Mode().Perm()&right != 0 || st.Uid != 0
	}
	return bot.May(info, right)
}

// writable says who may write a file besides its owner, or is empty.
func writable(info fs.FileInfo) string {
	if mode := info.Mode().Perm(); mode&0o002 != 0 {
		return fmt.Sprintf("everybody can write it (mode %04o)", mode)
	}
	return ""
}

func userName(uid uint32) string {
	if u, err := user.LookupId(fmt.Sprint(uid)); err == nil {
		return u.Username
	}
	return fmt.Sprintf("uid %d", uid)
}
