package buildlet

import (
	"archive/tar"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"runtime"

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
		link := ""
		if info.Mode().Type() == fs.ModeSymlink {
			var err error
			if link, err = parent.Readlink(base); err != nil {
				return err
			}
		}
		if info.Mode().Type() == fs.ModeSocket {
			return nil // has no form in an archive
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
		if err := tw.WriteHeader(h); err != nil {
			return err
		}
		if !info.Mode().IsRegular() {
			return nil
		}
		f, _, err := openRegular(parent, base)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.CopyN(tw, f, info.Size())
		return err
	})
	if err != nil {
		zw.Close() // ends its goroutines
		return err
	}
	if err := tw.Close(); err != nil {
		return err
	}
	return zw.Close()
}
