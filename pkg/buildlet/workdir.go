package buildlet

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"gobuild/pkg/hint"
)

// PrepareWorkDir returns the work directory of a worker. A dir that is given
// has to exist, and stays as it is. Otherwise it is upstream's (build
// protocol, section 4), emptied: workdir-HOSTTYPE, or workdir without a host
// type, among the temporary files, or C:\workdir on Windows. There, a
// directory that belongs to somebody else, or a link, is an error: whoever
// made it could read and change what is built.
func PrepareWorkDir(dir, hostType string) (string, error) {
	if dir != "" {
		info, err := os.Stat(dir)
		if err == nil && !info.IsDir() {
			err = fmt.Errorf("%s is not a directory", dir)
		}
		if err != nil {
			return "", hint.With(fmt.Errorf("work directory: %w", err), "--workdir names a directory that is there already; what it holds may be deleted at any time")
		}
		return filepath.Abs(dir)
	}
	if runtime.GOOS == "windows" {
		dir = `C:\workdir` // short, as paths there have a limit
	} else {
		name := "workdir"
		if hostType != "" {
			name += "-" + hostType
		}
		dir = filepath.Join(os.TempDir(), name)
	}
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("work directory: %w", err)
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return "", fmt.Errorf("work directory: %w", err)
	}
	if !info.IsDir() || !ours(info) {
		return "", hint.With(fmt.Errorf("work directory: %s is a link or belongs to somebody else", dir), "give another with --workdir")
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return "", fmt.Errorf("work directory: %w", err)
	}
	defer root.Close()
	if err := emptyRoot(root); err != nil {
		return "", fmt.Errorf("empty the work directory %s: %w", dir, err)
	}
	return dir, nil
}
