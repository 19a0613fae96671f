package buildlet

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"slices"
)

// walkFunc is called for one entry below a directory: it lies in parent under
// the name base; rel is its path relative to where the walk began, with
// slashes. Returning fs.SkipDir for a directory leaves out what is below it.
// What a command removes meanwhile is left out, so fn returns nil if it does
// not find the entry any more.
type walkFunc func(parent *os.Root, base, rel string, info fs.FileInfo) error

// walk calls fn for everything below dir in lexical order, without following
// links; a dir that is itself a link is followed, inside the work directory.
// Where dir is no directory, fn is called once, with an empty rel.
//
// Each directory is opened once and its entries are found from there: going
// down from the work directory for each of them would take most of the time.
func (s *Server) walk(dir string, fn walkFunc) error {
	info, err := s.root().Stat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fn(s.root(), dir, "", info)
	}
	root, err := s.root().OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return walkRoot(root, "", fn)
}

func walkRoot(root *os.Root, rel string, fn walkFunc) error {
	names, err := rootNames(root)
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // removed since it was opened
		return err
	}
	slices.Sort(names)
	for _, base := range names {
		if err := walkEntry(root, base, path.Join(rel, base), fn); err != nil {
			return err
		}
	}
	return nil
}

func walkEntry(root *os.Root, base, rel string, fn walkFunc) error {
	info, err := root.Lstat(base)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // a command has removed it meanwhile
	}
	if err != nil {
		return err
	}
	switch err := fn(root, base, rel, info); {
	case err == fs.SkipDir && info.IsDir():
		return nil
	case err != nil || !info.IsDir():
		return err
	}
	sub, err := root.OpenRoot(base)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer sub.Close()
	return walkRoot(sub, rel, fn)
}

// rootNames returns the names in root, in the order of the directory.
func rootNames(root *os.Root) ([]string, error) {
	d, err := root.Open(".")
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.Readdirnames(-1)
}
