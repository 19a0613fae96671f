// Package atomicfile writes files that are whole or not there: into a
// temporary file beside the target, synced, then moved into place. A full
// disk, a kill or a power cut leaves what was there before.
//
// It is for what must not be lost or half-written: keys, certificates,
// tokens, configurations. Read reads them, and no more than they may hold.
package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"gobuild/pkg/hint"
)

// WriteNew writes data to a new file with exactly mode. If there is something
// at path already, it changes nothing and returns an error that is
// fs.ErrExist; two at the same time cannot both succeed.
func WriteNew(path string, data []byte, mode fs.FileMode) error {
	// So that nobody waits for a disk to hear it; link is what decides.
	if _, err := os.Lstat(path); err == nil {
		return &fs.PathError{Op: "write", Path: path, Err: fs.ErrExist}
	}
	return write(path, data, mode, func(temp string) error {
		err := os.Link(temp, path)
		if err == nil || errors.Is(err, fs.ErrExist) {
			return err
		}
		// Plan 9 and some file systems have no links.
		return copyNew(path, data, mode)
	})
}

// Replace writes data to path with exactly mode, in place of what is there.
// What is there stays until the new content is on the disk. If it is a
// symbolic link, the link is replaced.
func Replace(path string, data []byte, mode fs.FileMode) error {
	return write(path, data, mode, func(temp string) error { return os.Rename(temp, path) })
}

// write writes data to a temporary file, which place then moves or links to
// path.
func write(path string, data []byte, mode fs.FileMode, place func(temp string) error) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".tmp-*")
	if err != nil {
		return explain("write", path, err)
	}
	temp := f.Name()
	defer os.Remove(temp) // gone after a rename
	if err := fill(f, data, mode); err != nil {
		return explain("write", path, err)
	}
	if err := place(temp); err != nil {
		return explain("write", path, err)
	}
	syncDir(dir)
	return nil
}

// copyNew writes data to path, which it makes, and removes it if it fails.
func copyNew(path string, data []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	if err := fill(f, data, mode); err != nil {
		os.Remove(path)
		return err
	}
	return nil
}

// fill writes data to f, gives it mode whatever the umask is, and closes it.
func fill(f *os.File, data []byte, mode fs.FileMode) error {
	_, err := f.Write(data)
	if err == nil && runtime.GOOS != "windows" { // there it would only make a file read-only
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// syncDir puts the entries of dir on the disk, where the system has a call
// for it and the file system can; nothing more can be done where not.
func syncDir(dir string) {
	if d, err := os.Open(dir); err == nil { // a directory may be writable and not readable
		d.Sync()
		d.Close()
	}
}

// explain returns err with path, not the temporary file, as what it is about,
// and with a hint for what an owner can mend.
func explain(op, path string, err error) error {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		err = pathErr.Err
	} else if linkErr, ok := errors.AsType[*os.LinkError](err); ok {
		err = linkErr.Err
	}
	wrapped := fmt.Errorf("%s %s: %w", op, path, err)
	dir := filepath.Dir(path)
	switch {
	case isFull(err):
		return hint.With(wrapped, "the disk (or your quota) that holds %s is full; nothing was changed: make room and try again", dir)
	case errors.Is(err, fs.ErrNotExist):
		return hint.With(wrapped, "the directory %s has to be there first", dir)
	case errors.Is(err, fs.ErrPermission):
		return hint.With(wrapped, "you need the right to create files in %s", dir)
	}
	return wrapped
}
