package buildlet

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"time"
)

// regularBits are the bits of a Go file mode that PUT /write accepts.
const regularBits = fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky

// serveWrite writes one file (section 3.3).
func (s *Server) serveWrite(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPut {
		http.Error(w, "requires PUT method", http.StatusBadRequest)
		return
	}
	q := r.URL.Query() // the body is the file, whatever its Content-Type says
	name, err := cleanPath(q.Get("path"))
	if err != nil {
		http.Error(w, fmt.Sprintf("invalid 'path' parameter: %v", err), http.StatusBadRequest)
		return
	}
	bits, err := strconv.ParseUint(q.Get("mode"), 10, 32)
	mode := fs.FileMode(bits)
	if err != nil || mode&^regularBits != 0 {
		http.Error(w, "bad mode", http.StatusBadRequest)
		return
	}
	if info, err := s.root().Lstat(name); err == nil && info.IsDir() {
		http.Error(w, fmt.Sprintf("write %s: is a directory", name), http.StatusInternalServerError)
		return
	}
	if err := s.makeParents(name); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if err := replaceFile(s.root(), name, mode, time.Time{}, r.Body); err != nil {
		s.log.Warn("file not written", "path", name, "err", err)
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	io.WriteString(w, "OK")
}

// makeParents makes the directories above name.
func (s *Server) makeParents(name string) error {
	dir := filepath.Dir(name)
	if dir == "." {
		return nil
	}
	return s.root().MkdirAll(dir, 0o755)
}

// replaceFile writes r to name: to a temporary file beside it, which takes the
// name once it is complete. So a sender that goes away leaves what was there;
// a link at name is replaced, not followed; and a running program can be
// written anew. The mode holds whatever the umask. A mtime of zero means now.
func replaceFile(root *os.Root, name string, mode fs.FileMode, mtime time.Time, r io.Reader) error {
	tmp := tempName(name)
	if err := createFile(root, tmp, mode, mtime, r); err != nil {
		return err
	}
	err := root.Rename(tmp, name)
	if err != nil && runtime.GOOS == "windows" && root.Chmod(name, 0o600) == nil {
		err = root.Rename(tmp, name) // what is read-only cannot be replaced there
	}
	if err != nil {
		root.Remove(tmp)
	}
	return err
}

// tempName returns a name beside name that nothing has.
func tempName(name string) string {
	return filepath.Join(filepath.Dir(name), ".gobuild-"+rand.Text()[:12])
}

// createFile writes r to name, where nothing may be yet. If that fails, no
// file is left.
func createFile(root *os.Root, name string, mode fs.FileMode, mtime time.Time, r io.Reader) (err error) {
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			root.Remove(name)
		}
	}()
	if _, err := io.Copy(f, r); err != nil {
		return err
	}
	if err := f.Chmod(mode); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if !mtime.IsZero() {
		root.Chtimes(name, mtime, mtime) // some file systems cannot; the content is what counts
	}
	return nil
}
