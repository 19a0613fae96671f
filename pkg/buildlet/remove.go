package buildlet

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
)

// ownDirs are what a Server keeps for commands below the work directory, and
// the variables that name them (section 3.7).
var ownDirs = map[string]string{"tmp": "TMPDIR", "gocache": "GOCACHE", "goplscache": "GOPLSCACHE"}

// makeOwnDirs makes what is kept below the work directory, should somebody
// have removed it. Plan 9 has no use for it.
func (s *Server) makeOwnDirs() error {
	if runtime.GOOS == "plan9" {
		return nil
	}
	for name := range ownDirs {
		if err := s.root().MkdirAll(name, 0o755); err != nil {
			return err
		}
	}
	return nil
}

// serveRemoveAll removes paths with all they contain (section 3.8).
func (s *Server) serveRemoveAll(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		http.Error(w, "requires POST method", http.StatusBadRequest)
		return
	}
	if err := r.ParseForm(); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if len(r.Form["path"]) == 0 {
		http.Error(w, "requires 'path' parameter", http.StatusBadRequest)
		return
	}
	var names []string
	for _, p := range r.Form["path"] {
		name, err := cleanPath(p)
		if err != nil {
			http.Error(w, fmt.Sprintf("invalid 'path' parameter: %v", err), http.StatusBadRequest)
			return
		}
		names = append(names, name)
	}
	for _, name := range names {
		if err := removeAll(s.root(), name); err != nil {
			s.log.Warn("not removed", "path", name, "err", err)
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
	}
}

// removeAll removes name below root, or all that root holds if name is ".".
// What is read-only is made writable first where that stands in the way.
func removeAll(root *os.Root, name string) error {
	if name == "." {
		return emptyRoot(root)
	}
	err := root.RemoveAll(name)
	if err == nil || !errors.Is(err, fs.ErrPermission) && runtime.GOOS != "windows" && runtime.GOOS != "plan9" {
		return err
	}
	makeWritable(root, name)
	return root.RemoveAll(name)
}

func emptyRoot(root *os.Root) error {
	// By its name: root itself cannot be used without the right to search it.
	if info, err := os.Stat(root.Name()); err == nil && info.Mode().Perm()&0o700 != 0o700 {
		os.Chmod(root.Name(), info.Mode().Perm()|0o700) // the removal will say what is wrong
	}
	names, err := rootNames(root)
	if err != nil {
		return err
	}
	var errs []error
	for _, name := range names {
		errs = append(errs, removeAll(root, name))
	}
	return errors.Join(errs...)
}

// makeWritable lets the owner change all directories at and below name, which
// is what a removal needs. Files are left as they are but on Windows: they may
// have other names elsewhere. What it cannot change the removal will say.
func makeWritable(root *os.Root, name string) {
	info, err := root.Lstat(name)
	if err != nil || info.Mode().Type() == fs.ModeSymlink {
		return
	}
	if !info.IsDir() {
		if runtime.GOOS == "windows" {
			root.Chmod(name, info.Mode().Perm()|0o200)
		}
		return
	}
	root.Chmod(name, info.Mode().Perm()|0o700)
	d, err := root.Open(name)
	if err != nil {
		return
	}
	names, _ := d.Readdirnames(-1)
	d.Close()
	for _, sub := range names {
		makeWritable(root, filepath.Join(name, sub))
	}
}
