package stage0

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// Untar unpacks a tar.gz file into a directory that is there, as upstream's
// stage0 does for those who prepare images (build protocol, section 6.1).
// Nothing gets outside the directory.
func Untar(file, dir string) error {
	in, err := os.Open(file)
	if err != nil {
		return err
	}
	defer in.Close()
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	unzipped, err := gzip.NewReader(in)
	if err != nil {
		return fmt.Errorf("%s: no gzip: %w", file, err)
	}
	began := time.Now()
	archive := tar.NewReader(unzipped)
	for {
		entry, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		name := filepath.FromSlash(entry.Name)
		if !filepath.IsLocal(name) {
			return fmt.Errorf("%s: the name %q leads out of the directory", file, entry.Name)
		}
		switch entry.Typeflag {
		case tar.TypeXGlobalHeader: // git archive writes them
		case tar.TypeDir:
			err = root.MkdirAll(filepath.Clean(name), 0o755)
		case tar.TypeReg:
			if err = root.MkdirAll(filepath.Dir(name), 0o755); err == nil {
				err = untarFile(root, name, entry, archive, began)
			}
		default:
			err = fmt.Errorf("%q is of a kind that is not unpacked (%v)", entry.Name, entry.FileInfo().Mode().Type())
		}
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
}

// untarFile writes one file. A time in the future becomes the present one.
func untarFile(root *os.Root, name string, entry *tar.Header, content io.Reader, now time.Time) error {
	// A program on macOS that is written over is killed at its next start.
	if err := root.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	out, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, entry.FileInfo().Mode().Perm())
	if err != nil {
		return err
	}
	_, err = io.Copy(out, content)
	if err = errors.Join(err, out.Close()); err != nil {
		return err
	}
	when := entry.ModTime
	if when.After(now) {
		when = now
	}
	root.Chtimes(name, when, when) // of no matter
	return nil
}
