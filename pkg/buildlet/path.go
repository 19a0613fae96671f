package buildlet

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
)

// cleanPath checks a path that a peer sent by the protocol's rule (section
// 3.1) and returns it in the system's notation. The rule sees the text only;
// that symbolic links lead nowhere else is os.Root's part.
func cleanPath(name string) (string, error) {
	if name == "" {
		return "", errors.New("path not provided")
	}
	native := filepath.FromSlash(name)
	if runtime.GOOS == "windows" {
		if filepath.VolumeName(native) != "" {
			return "", fmt.Errorf("path %q begins with a native volume name", name)
		}
		if native[0] == filepath.Separator {
			return "", fmt.Errorf("path %q is relative to volume", name)
		}
	}
	if filepath.IsAbs(native) || strings.HasPrefix(name, "/") {
		return "", fmt.Errorf("path %q is not relative", name)
	}
	clean := filepath.Clean(native)
	if clean == ".." || strings.HasPrefix(clean, ".."+string(filepath.Separator)) {
		return "", fmt.Errorf("path %q refers to a parent directory", name)
	}
	return clean, nil
}

// cleanDir is cleanPath, with the work directory for an empty name.
func cleanDir(name string) (string, error) {
	if name == "" {
		return ".", nil
	}
	return cleanPath(name)
}
