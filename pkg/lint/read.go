package lint

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"gobuild/pkg/hint"
)

// MaxFile bounds the files that are read, in bytes. The real ones have a tenth
// of a megabyte; to look at one takes more than a hundred times its length in
// memory.
const MaxFile = 2 << 20

// Read returns what there is to read of name, at most MaxFile bytes.
func Read(r io.Reader, name string) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, MaxFile+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", name, err)
	case len(text) > MaxFile:
		return nil, fmt.Errorf("%s is longer than %d MiB, which no configuration is", name, MaxFile>>20)
	}
	return text, nil
}

// ReadFile reads a regular file: a pipe or a device might never end.
func ReadFile(name string) ([]byte, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|nonblock, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, hint.With(fmt.Errorf("%s is a directory", name), "name the file, such as %s", filepath.Join(name, "builders.go"))
	case !info.Mode().IsRegular():
		return nil, hint.With(fmt.Errorf("%s is not a regular file", name), "for a pipe give - and its text on standard input")
	}
	return Read(f, name)
}
