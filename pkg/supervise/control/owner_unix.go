//go:build unix

package control

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"gobuild/pkg/hint"
)

// trusted refuses a state directory that is a link, if this is root, who would
// write wherever it leads: the directory's owner runs other people's programs.
func trusted(dir string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return hint.With(fmt.Errorf("%s is no directory of run-bot's", dir), "ask as the user that run-bot runs as")
	}
	return nil
}

// giveTo gives a file in a directory to the directory's owner, if this is
// root. That owner may have put another in its place meanwhile, such as a link
// to a file of root's: it is given only if it has no other name.
func giveTo(file, dir string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	root, err := os.OpenRoot(dir) // which no link leads out of
	if err != nil {
		return err
	}
	defer root.Close()
	owner, err := root.Stat(".")
	if err != nil {
		return err
	}
	to, ok := owner.Sys().(*syscall.Stat_t)
	if !ok || to.Uid == 0 {
		return nil
	}
	f, err := root.OpenFile(filepath.Base(file), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); !ok || !info.Mode().IsRegular() || st.Nlink != 1 {
		return fmt.Errorf("%s is not the file that was written: another has been put in its place", file)
	}
	return f.Chown(int(to.Uid), int(to.Gid))
}
