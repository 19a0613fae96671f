package gomote

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"gobuild/pkg/buildlet"
	"gobuild/pkg/hint"
	"gobuild/pkg/lazyre"
)

// Put writes r to the file dst, relative to the work directory, with exactly
// the permission bits of mode. size, if not -1, is for progress, which may be
// nil.
func (s *Session) Put(ctx context.Context, r io.Reader, size int64, dst string, mode fs.FileMode, progress Progress) error {
	return sent(ctx, s.build.Put(ctx, progress.reader(r, size), dst, mode.Perm()))
}

// PutTar unpacks r, a tar.gz, below dir; an empty dir is the work directory.
func (s *Session) PutTar(ctx context.Context, r io.Reader, size int64, dir string, progress Progress) error {
	return sent(ctx, s.build.PutTar(ctx, progress.reader(r, size), dir))
}

// sent returns the error of an upload. If ctx has ended it is that: a refusal
// then only says that the rest is missing.
func sent(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// PutTarURL makes the machine itself fetch a tar.gz and unpack it below dir.
func (s *Session) PutTarURL(ctx context.Context, url, dir string) error {
	return s.build.PutTarURL(ctx, url, dir)
}

// goArchive is where a revision of Go is to be had as a tar.gz.
const goArchive = "https://go.googlesource.com/go/+archive/"

var revision = lazyre.New(`^[0-9a-f]{7,40}$`)

// IsRevision reports whether name may be a revision of Go: 7 to 40 hex digits.
func IsRevision(name string) bool { return revision.MatchString(name) }

// PutRevision makes the machine fetch a revision of Go and unpack it below
// dir, and adds the file VERSION without which such a tree does not build.
func (s *Session) PutRevision(ctx context.Context, rev, dir string) error {
	if err := s.build.PutTarURL(ctx, goArchive+rev+".tar.gz", dir); err != nil {
		return err
	}
	version := "VERSION"
	if dir != "" {
		version = strings.TrimRight(dir, "/") + "/VERSION"
	}
	return s.build.Put(ctx, strings.NewReader("devel "+rev), version, 0o644)
}

// GetTar writes a tar.gz of what lies below dir ("." is everything) to file,
// or to w if file is empty. It returns the number of bytes.
func (s *Session) GetTar(ctx context.Context, dir, file string, w io.Writer, progress Progress) (int64, error) {
	body, err := s.build.GetTar(ctx, dir)
	if err != nil {
		return 0, err
	}
	defer body.Close()
	r := progress.reader(body, -1)
	if file == "" {
		return io.Copy(w, r)
	}
	return save(file, r, 0o666, false)
}

// Get writes the content of the remote file src to file, with the same
// permission bits, or to w if file is empty. It returns the number of bytes.
// From a buildlet of upstream's, which can send directories only, the file's
// whole directory travels.
func (s *Session) Get(ctx context.Context, src, file string, w io.Writer, progress Progress) (int64, error) {
	f, err := s.build.Read(ctx, src)
	if errors.Is(err, buildlet.ErrNoAddition) {
		f, err = s.build.ReadFromTar(ctx, src)
	}
	if err != nil {
		return 0, err
	}
	defer f.Close()
	r := progress.reader(f, f.Size)
	if file == "" {
		return io.Copy(w, r)
	}
	return save(file, r, f.Mode.Perm(), true)
}

// save writes r to file: to a temporary file first, which takes its name when
// it is complete and on the disk. The file has the permission bits of mode, if
// exact is not set less those of the umask. What is there and is no regular
// file, as a device or a pipe, is written to as it is.
func save(file string, r io.Reader, mode fs.FileMode, exact bool) (n int64, err error) {
	if real, err := filepath.EvalSymlinks(file); err == nil {
		file = real
	}
	if info, err := os.Stat(file); err == nil && !info.Mode().IsRegular() {
		return saveInto(file, r)
	}
	tmp, err := os.OpenFile(filepath.Join(filepath.Dir(file), ".gobuild-"+rand.Text()), os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return 0, notWritten(file, err)
	}
	defer func() {
		tmp.Close()
		if err != nil {
			os.Remove(tmp.Name())
		}
	}()
	if n, err = io.Copy(tmp, r); err != nil {
		return n, hint.With(notWritten(file, fmt.Errorf("after %d bytes: %w", n, err)), "what was there before is untouched; try again")
	}
	if exact {
		if err := tmp.Chmod(mode); err != nil && !errors.Is(err, errors.ErrUnsupported) {
			return n, notWritten(file, err)
		}
	}
	if err := tmp.Sync(); err != nil {
		return n, notWritten(file, err)
	}
	if err := tmp.Close(); err != nil {
		return n, notWritten(file, err)
	}
	if err := os.Rename(tmp.Name(), file); err != nil {
		return n, notWritten(file, err)
	}
	return n, nil
}

func saveInto(file string, r io.Reader) (int64, error) {
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		return 0, notWritten(file, err)
	}
	n, err := io.Copy(f, r)
	if err = errors.Join(err, f.Close()); err != nil {
		return n, notWritten(file, err)
	}
	return n, nil
}

// notWritten says that err kept file from being written. The name of a
// temporary file in err is left out.
func notWritten(file string, err error) error {
	var pathErr *fs.PathError
	var linkErr *os.LinkError
	switch {
	case errors.As(err, &pathErr):
		err = pathErr.Err
	case errors.As(err, &linkErr):
		err = linkErr.Err
	}
	return fmt.Errorf("%s not written: %w", file, err)
}
