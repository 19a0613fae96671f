package builderkey

import (
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

// Locate reads the builder key of hostType from the first of these places
// that there is, the wiki page's and the code's taken together (build
// protocol, section 1):
//
//	$GO_BUILD_KEY_PATH, if set: that file and no other
//	~/.gobuildkey-HOSTTYPE
//	~/.gobuildkey, with a warning
//
// getenv is os.Getenv outside tests. The error names every place that was
// looked at. Nothing is changed; see Find.
func Locate(hostType string, getenv func(string) string) (Found, error) {
	if file := getenv("GO_BUILD_KEY_PATH"); file != "" {
		found, err := readKey(file)
		if err != nil {
			err = fmt.Errorf("builder key of %s, from $GO_BUILD_KEY_PATH: %w", hostType, err)
			if hint.Of(err) == "" {
				err = hint.With(err, "put the key there, or unset GO_BUILD_KEY_PATH")
			}
			return Found{}, err
		}
		return found, nil
	}
	byType := HostKeyFile(hostType, getenv)
	found, err := readKey(byType)
	if err == nil {
		return found, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return Found{}, fmt.Errorf("builder key of %s: %w", hostType, err)
	}
	plain := filepath.Join(Home(getenv), ".gobuildkey")
	found, err = readKey(plain)
	if errors.Is(err, fs.ErrNotExist) {
		return Found{}, hint.With(fmt.Errorf("no builder key of %s: neither %s nor %s is there, and $GO_BUILD_KEY_PATH is not set", hostType, byType, plain),
			"ask the farm's maintainer for the key of %s and put it into %s, mode 0600", hostType, byType)
	}
	if err != nil {
		return Found{}, fmt.Errorf("builder key of %s: %w", hostType, err)
	}
	found.Warnings = append(found.Warnings, fmt.Sprintf("%s is an old place that upstream's buildlet no longer reads; rename it to %s", plain, byType))
	return found, nil
}

// Find does what Locate does, for a worker that is about to register: if
// $GO_BUILD_KEY_DELETE_AFTER_READ is true by Go's rules, it removes the file
// after it was read.
func Find(hostType string, getenv func(string) string) (Found, error) {
	found, err := Locate(hostType, getenv)
	if err != nil {
		return Found{}, err
	}
	if del, _ := strconv.ParseBool(getenv("GO_BUILD_KEY_DELETE_AFTER_READ")); del {
		if err := os.Remove(found.File); err != nil {
			return Found{}, fmt.Errorf("remove builder key after reading, as $GO_BUILD_KEY_DELETE_AFTER_READ asks: %w", err)
		}
	}
	return found, nil
}

// Home returns the home directory by the rules of upstream's buildlet (build
// protocol, section 1), which differ from os.UserHomeDir. Where those would
// find none on Windows it is the profile directory.
func Home(getenv func(string) string) string {
	return homeOn(runtime.GOOS, os.Getuid(), getenv)
}

func homeOn(goos string, uid int, getenv func(string) string) string {
	switch goos {
	case "windows":
		if home := getenv("HOMEDRIVE") + getenv("HOMEPATH"); home != "" {
			return home
		}
		return getenv("USERPROFILE") // all that a service has
	case "plan9":
		return getenv("home")
	}
	if home := getenv("HOME"); home != "" {
		return home
	}
	if uid == 0 {
		return "/root"
	}
	return "/"
}

// HostKeyFile returns where a worker looks for the builder key of hostType:
// ~/.gobuildkey-HOSTTYPE (build protocol, section 1).
func HostKeyFile(hostType string, getenv func(string) string) string {
	return filepath.Join(Home(getenv), ".gobuildkey-"+hostType)
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

// KeyFile returns the file in which the bearer of principal's key looks for
// it: UserKeyFile of a user, HostKeyFile of all else.
func KeyFile(principal string, getenv func(string) string) string {
	if strings.HasPrefix(principal, UserPrefix) {
		return UserKeyFile(principal, getenv)
	}
	return HostKeyFile(principal, getenv)
}

// MasterKeyFile returns where genbuilderkey looks for the master key when it
// is offline: ~/keys/gobuilder-master.key (build protocol, section 1).
func MasterKeyFile(getenv func(string) string) string {
	return filepath.Join(Home(getenv), "keys", "gobuilder-master.key")
}

// UserPrincipal returns the principal of a user: user-NAME. A name that has
// the prefix already stays as it is.
func UserPrincipal(name string) string {
	if strings.HasPrefix(name, UserPrefix) {
		return name
	}
	return UserPrefix + name
}
