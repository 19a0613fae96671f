package builderkey

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"gobuild/pkg/hint"
)

// Found is a builder key and where it came from.
type Found struct {
	// Key is the trimmed content of File.
	Key string
	// File is the path that it was read from.
	File string
	// Warning says what is unusual about the place, or is empty.
	Warning string
}

// Find reads the builder key of hostType from the first of these places that
// there is, the wiki page's and the code's taken together (build protocol,
// section 1):
//
//	$GO_BUILD_KEY_PATH, if set: that file and no other
//	~/.gobuildkey-HOSTTYPE
//	~/.gobuildkey, with a warning
//
// getenv is os.Getenv outside tests. If $GO_BUILD_KEY_DELETE_AFTER_READ is
// true by Go's rules, the file is removed after it was read. The error names
// every place that was looked at.
func Find(hostType string, getenv func(string) string) (Found, error) {
	var found Found
	if file := getenv("GO_BUILD_KEY_PATH"); file != "" {
		key, err := readKey(file)
		if err != nil {
			return Found{}, hint.With(fmt.Errorf("builder key of %s, from $GO_BUILD_KEY_PATH: %w", hostType, err),
				"put the key there, or unset GO_BUILD_KEY_PATH")
		}
		found = Found{Key: key, File: file}
	} else {
		home := Home(getenv)
		byType := filepath.Join(home, ".gobuildkey-"+hostType)
		plain := filepath.Join(home, ".gobuildkey")
		key, err := readKey(byType)
		switch {
		case err == nil:
			found = Found{Key: key, File: byType}
		case !errors.Is(err, fs.ErrNotExist):
			return Found{}, fmt.Errorf("builder key of %s: %w", hostType, err)
		default:
			key, err = readKey(plain)
			if errors.Is(err, fs.ErrNotExist) {
				return Found{}, hint.With(fmt.Errorf("no builder key of %s: neither %s nor %s is there, and $GO_BUILD_KEY_PATH is not set", hostType, byType, plain),
					"ask the farm's maintainer for the key of %s and put it into %s, mode 0600", hostType, byType)
			}
			if err != nil {
				return Found{}, fmt.Errorf("builder key of %s: %w", hostType, err)
			}
			found = Found{Key: key, File: plain,
				Warning: fmt.Sprintf("%s is an old place that upstream's buildlet no longer reads; rename it to %s", plain, byType)}
		}
	}
	if del, _ := strconv.ParseBool(getenv("GO_BUILD_KEY_DELETE_AFTER_READ")); del {
		if err := os.Remove(found.File); err != nil {
			return Found{}, fmt.Errorf("remove builder key after reading, as $GO_BUILD_KEY_DELETE_AFTER_READ asks: %w", err)
		}
	}
	return found, nil
}

// ReadKey reads the key in file: one line, surrounding white space trimmed.
// The error names the file.
func ReadKey(file string) (string, error) {
	key, err := readKey(file)
	if err != nil {
		return "", fmt.Errorf("read key: %w", err)
	}
	return key, nil
}

func readKey(file string) (string, error) {
	text, err := readSmall(file)
	if err != nil {
		return "", err
	}
	key := bytes.TrimSpace(text)
	switch {
	case len(key) == 0:
		return "", fmt.Errorf("%s is empty", file)
	case bytes.ContainsAny(key, "\r\n \t"):
		return "", hint.With(fmt.Errorf("%s holds more than one word", file), "a key file holds the 32 hex digits of the key and nothing else")
	}
	return string(key), nil
}

// Home returns the home directory by the rules of upstream's buildlet (build
// protocol, section 1), which differ from os.UserHomeDir.
func Home(getenv func(string) string) string {
	switch runtime.GOOS {
	case "windows":
		return getenv("HOMEDRIVE") + getenv("HOMEPATH")
	case "plan9":
		return getenv("home")
	}
	if home := getenv("HOME"); home != "" {
		return home
	}
	if os.Getuid() == 0 {
		return "/root"
	}
	return "/"
}

// UserKeyFile returns where upstream's gomote of old kept the key of the
// principal user-NAME: gomote/user-NAME.token in the configuration directory
// (build protocol, section 1).
func UserKeyFile(principal string, getenv func(string) string) string {
	if runtime.GOOS == "windows" {
		return filepath.Join(getenv("APPDATA"), "Gomote", principal+".token")
	}
	dir := getenv("XDG_CONFIG_HOME")
	if dir == "" {
		dir = filepath.Join(Home(getenv), ".config")
	}
	return filepath.Join(dir, "gomote", principal+".token")
}

// UserPrincipal returns the principal of a user: user-NAME. A name that has
// the prefix already stays as it is.
func UserPrincipal(name string) string {
	if strings.HasPrefix(name, UserPrefix) {
		return name
	}
	return UserPrefix + name
}
