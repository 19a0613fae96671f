package buildlet

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/klauspost/pgzip"
)

// pgzipBlock is the piece that one goroutine compresses, in bytes. A machine
// may have 512 MiB of memory in all, and each goroutine takes several blocks.
const (
	pgzipBlock      = 256 << 10
	pgzipGoroutines = 8 // at most
)

// serveTGZ sends a directory as a tar.gz (section 3.5).
func (s *Server) serveTGZ(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		http.Error(w, "requires GET method", http.StatusBadRequest)
		return
	}
	dir, err := cleanPath(r.FormValue("dir"))
	if err != nil {
		http.Error(w, fmt.Sprintf("invalid 'dir' parameter: %v", err), http.StatusBadRequest)
		return
	}
	if _, err := s.root().Stat(dir); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/x-gzip") // as upstream's, which net/http finds by sniffing
	if err := s.tarTo(w, dir); err != nil {
		s.log.Warn("archive not sent whole", "dir", dir, "err", err)
		panic(http.ErrAbortHandler) // so that the receiver sees the break
	}
}

// tarTo writes what lies below dir to w, in lexical order.
func (s *Server) tarTo(w io.Writer, dir string) error {
	zw := pgzip.NewWriter(w)
	if err := zw.SetConcurrency(pgzipBlock, min(runtime.GOMAXPROCS(0), pgzipGoroutines)); err != nil {
		return err
	}
	tw := tar.NewWriter(zw)
	err := s.walk(dir, func(parent *os.Root, base, rel string, info fs.FileInfo) error {
		err := addTo(tw, parent, base, rel, info)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // nothing of it was written
		}
		return err
	})
	if err == nil {
		err = tw.Close()
	}
	if err == nil {
		err = zw.Close()
	}
	if err != nil {
		zw.Reset(io.Discard) // Close would leave a goroutine behind
	}
	return err
}

// addTo adds one entry to an archive. Where it is not there any more, nothing
// is written, and the error is fs.ErrNotExist.
func addTo(tw *tar.Writer, parent *os.Root, base, rel string, info fs.FileInfo) (err error) {
	var link string
	var f *os.File
	switch {
	case info.Mode().Type() == fs.ModeSocket:
		return nil // has no form in an archive
	case info.Mode().Type() == fs.ModeSymlink:
		link, err = parent.Readlink(base)
	case info.Mode().IsRegular():
		// What is opened counts: another may have taken its place.
		if f, info, err = openRegular(parent, base); err == nil {
			defer f.Close()
		}
	}
	if err != nil {
		return err
	}
	h, err := tar.FileInfoHeader(info, filepath.ToSlash(link))
	if err != nil {
		return err
	}
	if h.Name = rel; rel == "" {
		h.Name = filepath.Base(base) // a file was asked for
	}
	if info.IsDir() {
		h.Name += "/"
	}
	// The writer would round, into the future and off the listing's time.
	h.ModTime = h.ModTime.Truncate(time.Second)
	if err := tw.WriteHeader(h); err != nil || f == nil {
		return err
	}
	_, err = io.CopyN(tw, f, h.Size)
	return err
}
