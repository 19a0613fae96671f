package buildlet

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"

	"gobuild/pkg/diskspace"
)

const (
	// fetchWait bounds the download of an archive by its URL.
	fetchWait = 30 * time.Minute
	// entryCost is what an entry counts besides its content, in bytes: about
	// what a file system keeps of it. It bounds the number of entries.
	entryCost = 512
)

// serveWriteTGZ unpacks an archive (section 3.4): the body of a PUT, or what
// lies at the URL that a POST names.
func (s *Server) serveWriteTGZ(w http.ResponseWriter, r *http.Request) {
	dir, err := cleanDir(r.URL.Query().Get("dir"))
	if err != nil {
		http.Error(w, fmt.Sprintf("invalid 'dir' parameter: %v", err), http.StatusBadRequest)
		return
	}
	var body io.Reader
	switch r.Method {
	case http.MethodPut:
		body = r.Body
	case http.MethodPost:
		archive := r.FormValue("url")
		if archive == "" {
			http.Error(w, "missing url POST param", http.StatusBadRequest)
			return
		}
		if dir == "go1.4" {
			if info, err := s.root().Stat(dir); err == nil && info.IsDir() {
				io.WriteString(w, "SKIP") // the bootstrap toolchain is there
				return
			}
		}
		ctx, cancel := context.WithTimeoutCause(r.Context(), fetchWait, fmt.Errorf("not fetched within %s", fetchWait))
		defer cancel()
		resp, err := fetch(ctx, archive)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		defer resp.Close()
		body = resp
	default:
		http.Error(w, "requires PUT or POST method", http.StatusBadRequest)
		return
	}
	if err := s.untar(body, dir); err != nil {
		s.log.Warn("archive not unpacked", "dir", dir, "err", err)
		status := http.StatusInternalServerError
		var bad *archiveError
		if errors.As(err, &bad) {
			status = bad.status
		}
		http.Error(w, err.Error(), status)
		return
	}
	io.WriteString(w, "OK")
}

// fetch opens what lies at a URL.
func fetch(ctx context.Context, archive string) (io.ReadCloser, error) {
	u, err := url.Parse(archive)
	if err == nil && u.Scheme != "http" && u.Scheme != "https" {
		err = fmt.Errorf("scheme %q is not supported", u.Scheme)
	}
	if u == nil {
		return nil, fmt.Errorf("fetching URL: %w", err) // which names it
	}
	if err != nil {
		return nil, fmt.Errorf("fetching URL %s: %w", u.Redacted(), err)
	}
	req, err := http.NewRequestWithContext(ctx, "GET", archive, nil)
	if err != nil {
		return nil, fmt.Errorf("fetching URL %s: %w", u.Redacted(), err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		var ue *url.Error
		if errors.As(err, &ue) {
			err = ue.Err
		}
		return nil, fmt.Errorf("fetching URL %s: %w", u.Redacted(), err)
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return nil, fmt.Errorf("writetgz: fetching provided URL %q: %s", u.Redacted(), resp.Status)
	}
	return resp.Body, nil
}

// archiveError is what is wrong with an archive, not with this machine.
type archiveError struct {
	status int
	text   string
}

func (e *archiveError) Error() string { return e.text }

func badArchive(format string, args ...any) error {
	return &archiveError{http.StatusBadRequest, fmt.Sprintf(format, args...)}
}

// unpacking is the unpacking of one archive.
type unpacking struct {
	root    *os.Root
	dir     string // below the root
	began   time.Time
	left    int64 // bytes that may still be written
	limit   string
	written int      // entries
	dest    *os.Root // dir, for hard links, which may not come from elsewhere
	dirs    []dirEntry

	// The directory of the last regular file: files come in runs, and going
	// down from the root for each would take most of the time.
	here     *os.Root
	hereName string
}

// dirEntry is a directory whose mode and time are set at the end, as a mode
// without write permission would keep its content out and the content would
// change its time.
type dirEntry struct {
	name  string
	mode  fs.FileMode
	mtime time.Time
}

// untar unpacks r, a tar.gz, below dir. What was unpacked before an error
// stays; the error says how much that was.
func (s *Server) untar(r io.Reader, dir string) error {
	zr, err := gzip.NewReader(r)
	if err != nil {
		return badArchive("requires gzip-compressed body: %v", err)
	}
	defer zr.Close()
	if err := s.root().MkdirAll(dir, 0o755); err != nil {
		return err
	}
	u := &unpacking{root: s.root(), dir: dir, began: time.Now(), left: s.opts.MaxUnpack,
		limit: fmt.Sprintf("the limit of %d bytes for one archive", s.opts.MaxUnpack)}
	if space, ok := diskspace.Of(s.work); ok && space.Free < u.left {
		u.left, u.limit = space.Free, fmt.Sprintf("the %d bytes that are free on the disk", space.Free)
	}
	defer u.leave()
	if u.dest, err = u.root.OpenRoot(dir); err != nil {
		return err
	}
	defer u.dest.Close()
	tr := tar.NewReader(zr)
	for {
		h, err := tr.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return badArchive("tar error: %v (after %d entries)", err, u.written)
		}
		if err := u.entry(h, tr); err != nil {
			return err
		}
		u.written++
	}
	// What follows the archive's end is checked too: a cut-off stream shows
	// in the checksum.
	if _, err := io.Copy(io.Discard, io.LimitReader(zr, u.left+1)); err != nil {
		return badArchive("tar error: %v (after %d entries)", err, u.written)
	}
	return u.finish()
}

// entry unpacks one entry.
func (u *unpacking) entry(h *tar.Header, r io.Reader) error {
	if h.Typeflag == tar.TypeXGlobalHeader {
		return nil
	}
	rel, err := cleanPath(h.Name)
	if err != nil {
		return badArchive("tar file contained invalid name %q: %v", h.Name, err)
	}
	name := filepath.Join(u.dir, rel)
	// A file with holes has its whole size here, and zeros in their place.
	regular := h.Typeflag == tar.TypeReg || h.Typeflag == tar.TypeGNUSparse || h.Typeflag == tar.TypeCont
	mode := fs.FileMode(h.Mode) & fs.ModePerm // setuid and its kin are not for strangers to set
	mtime := h.ModTime
	if mtime.After(u.began) {
		mtime = u.began
	}
	if !regular {
		u.leave() // what follows may be elsewhere under the same name
	}
	if h.Typeflag != tar.TypeDir {
		if err := u.enter(filepath.Dir(name)); err != nil {
			return u.failed(h, err)
		}
	}
	size := int64(0)
	if regular {
		size = h.Size
	}
	if size > u.left-entryCost {
		return &archiveError{http.StatusRequestEntityTooLarge,
			fmt.Sprintf("tar file entry %q of %d bytes goes beyond %s (after %d entries)", h.Name, size, u.limit, u.written)}
	}
	u.left -= entryCost + size
	switch {
	case h.Typeflag == tar.TypeDir:
		if err := u.makeDir(name); err != nil {
			return u.failed(h, err)
		}
		u.dirs = append(u.dirs, dirEntry{name, mode, mtime})
	case regular:
		base := filepath.Base(name)
		err := createFile(u.here, base, mode, mtime, r)
		if errors.Is(err, fs.ErrExist) {
			if info, err := u.here.Lstat(base); err == nil && info.IsDir() {
				return u.failed(h, errors.New("is a directory"))
			}
			err = replaceFile(u.here, base, mode, mtime, r)
		}
		if err != nil {
			var pe *fs.PathError
			var le *os.LinkError
			if errors.As(err, &pe) || errors.As(err, &le) {
				return u.failed(h, err)
			}
			return badArchive("tar error: %v (after %d entries)", err, u.written)
		}
	case h.Typeflag == tar.TypeSymlink:
		return u.symlink(h, name, h.Linkname)
	case h.Typeflag == tar.TypeLink:
		return u.hardLink(h, rel)
	default:
		return badArchive("tar file entry %q contained unsupported file type %v", h.Name, h.FileInfo().Mode())
	}
	return nil
}

// enter makes dir and opens it.
func (u *unpacking) enter(dir string) error {
	if u.here != nil && u.hereName == dir {
		return nil
	}
	u.leave()
	here, err := u.root.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		if err := u.root.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		here, err = u.root.OpenRoot(dir)
	}
	if err != nil {
		return err
	}
	u.here, u.hereName = here, dir
	return nil
}

// leave closes the directory of the last regular file.
func (u *unpacking) leave() {
	if u.here != nil {
		u.here.Close()
		u.here = nil
	}
}

// makeDir makes a directory. One that is there is made to take its content.
func (u *unpacking) makeDir(name string) error {
	if err := u.root.MkdirAll(name, 0o755); err != nil {
		return err
	}
	info, err := u.root.Stat(name)
	if err == nil && info.Mode()&0o700 != 0o700 {
		err = u.root.Chmod(name, info.Mode().Perm()|0o700)
	}
	return err
}

// symlink makes a symbolic link.
func (u *unpacking) symlink(h *tar.Header, name, target string) error {
	outside := badArchive("tar file entry %q is a link to %q, which is outside of the work directory", h.Name, target)
	if leadsOut(name, target) {
		return outside
	}
	err := place(u.root, name, func(tmp string) error {
		if err := u.root.Symlink(filepath.FromSlash(target), tmp); err != nil {
			return err
		}
		// Other links on the way may lead where the names do not.
		if _, err := u.root.Stat(tmp); escapes(err) {
			return outside
		}
		return nil
	})
	if err == nil || err == outside {
		return err
	}
	return u.failed(h, err)
}

// hardLink gives the file h.Linkname another name, rel. Both are relative to
// the archive's directory and may not leave it.
func (u *unpacking) hardLink(h *tar.Header, rel string) error {
	target, err := cleanPath(h.Linkname)
	if err != nil {
		return badArchive("tar file entry %q is a hard link to %q, which is outside of the archive: %v", h.Name, h.Linkname, err)
	}
	info, err := u.dest.Lstat(target)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return u.failed(h, fmt.Errorf("a hard link to %q, which is not there", h.Linkname))
	case err != nil:
		return u.failed(h, err)
	case info.Mode().Type() == fs.ModeSymlink:
		// From another directory it may lead elsewhere.
		link, err := u.dest.Readlink(target)
		if err != nil {
			return u.failed(h, err)
		}
		return u.symlink(h, filepath.Join(u.dir, rel), filepath.ToSlash(link))
	case !info.Mode().IsRegular():
		return badArchive("tar file entry %q is a hard link to %q, which is no file but %s", h.Name, h.Linkname, info.Mode())
	case target == rel:
		return nil
	}
	err = place(u.dest, rel, func(tmp string) error { return u.dest.Link(target, tmp) })
	if err != nil {
		return u.failed(h, err)
	}
	return nil
}

// place has something made under a temporary name and then gives it its name,
// as replaceFile does.
func place(root *os.Root, name string, link func(tmp string) error) error {
	tmp := tempName(name)
	// Where both names are of one file already, renaming leaves them both.
	defer root.Remove(tmp)
	if err := link(tmp); err != nil {
		return err
	}
	err := root.Rename(tmp, name)
	if info, statErr := root.Lstat(name); err != nil && statErr == nil && info.IsDir() && root.Remove(name) == nil {
		err = root.Rename(tmp, name) // an empty directory gives way, as with tar
	}
	return err
}

// failed says which entry could not be written. A path that leads out of the
// work directory through a link is the archive's fault.
func (u *unpacking) failed(h *tar.Header, err error) error {
	err = fmt.Errorf("tar file entry %q (after %d entries): %w", h.Name, u.written, err)
	if escapes(err) {
		return badArchive("%v", err)
	}
	return err
}

// escapes reports whether err is os.Root's refusal to leave its directory.
// The os package has no name for it.
func escapes(err error) bool {
	return err != nil && strings.Contains(err.Error(), "path escapes from parent")
}

// finish sets the modes and times of directories, the deepest first. Of
// entries for the same directory the last counts. The work directory itself
// keeps its mode: the next job has to be able to write there.
func (u *unpacking) finish() error {
	slices.SortStableFunc(u.dirs, func(a, b dirEntry) int { return strings.Compare(b.name, a.name) })
	for _, d := range u.dirs {
		if info, err := u.root.Lstat(d.name); d.name == "." || err != nil || !info.IsDir() {
			continue // not there any more, or a link has taken its place
		}
		if err := u.root.Chmod(d.name, d.mode); err != nil && !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
		u.root.Chtimes(d.name, d.mtime, d.mtime)
	}
	return nil
}

// leadsOut reports whether a symbolic link at name, relative to the work
// directory, to target leads out of it, going by the names.
func leadsOut(name, target string) bool {
	target = filepath.ToSlash(target)
	if target == "" || path.IsAbs(target) || filepath.IsAbs(filepath.FromSlash(target)) || filepath.VolumeName(filepath.FromSlash(target)) != "" {
		return true
	}
	at := path.Join(path.Dir(filepath.ToSlash(name)), target)
	return at == ".." || strings.HasPrefix(at, "../")
}
