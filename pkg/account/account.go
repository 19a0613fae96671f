// Package account tells what another user of this machine may do with its
// files, and has programs run as that user.
package account

import (
	"errors"
	"fmt"
	"os/user"
	"slices"
	"strconv"
	"strings"

	"gobuild/pkg/hint"
)

// ErrNone is that programs cannot be run as another user on this system.
var ErrNone = errors.New("this system does not let a program be started as another user")

// Account is a user of this machine.
type Account struct {
	// Name and Home are the user's name and home directory.
	Name, Home string
	// UID is its number.
	UID uint32
	// Groups are the numbers of its groups, its own first.
	Groups []uint32
}

// LookUp returns the user of a name. The error is ErrNone where there are no
// numbers of users.
func LookUp(name string) (Account, error) {
	if !supported {
		return Account{}, ErrNone
	}
	u, err := user.Lookup(name)
	if err != nil {
		return Account{}, hint.With(err, "make that user first, with a home directory: useradd -m %s", name)
	}
	a := Account{Name: u.Username, Home: u.HomeDir}
	number := func(text string) uint32 {
		n, parseErr := strconv.ParseUint(text, 10, 32)
		err = errors.Join(err, parseErr)
		return uint32(n)
	}
	a.UID = number(u.Uid)
	a.Groups = []uint32{number(u.Gid)}
	if ids, idsErr := u.GroupIds(); idsErr == nil { // not every system tells
		for _, id := range ids {
			if n := number(id); !slices.Contains(a.Groups, n) {
				a.Groups = append(a.Groups, n)
			}
		}
	}
	return a, err
}

// LookUpOrdinary is LookUp for who is to run what, which root must not.
func LookUpOrdinary(name, what string) (Account, error) {
	a, err := LookUp(name)
	if err == nil && a.UID == 0 {
		err = hint.With(fmt.Errorf("user %s is root, and so would be %s", name, what), "name a user of its own that owns nothing else")
	}
	return a, err
}

// ownNames are variables that are of this process's user.
var ownNames = []string{"HOME", "USER", "LOGNAME", "MAIL", "PWD", "OLDPWD", "TMPDIR", "KRB5CCNAME"}

// Environ returns the environment of a program of this user: own, this
// process's, without what is of its user or lies in its home directory, and
// without settings of gobuild's, which such a program gets as arguments.
func (a Account) Environ(own []string) []string {
	env := []string{"HOME=" + a.Home, "USER=" + a.Name, "LOGNAME=" + a.Name}
	home := ""
	for _, entry := range own {
		if dir, ok := strings.CutPrefix(entry, "HOME="); ok && len(dir) > 1 {
			home = strings.TrimRight(dir, "/")
		}
	}
	for _, entry := range own {
		name, value, _ := strings.Cut(entry, "=")
		switch {
		case slices.Contains(ownNames, name):
		case strings.HasPrefix(name, "SUDO_"), strings.HasPrefix(name, "XDG_"), strings.HasPrefix(name, "GOBUILD_"),
			strings.HasPrefix(name, "SSH_"), strings.HasPrefix(name, "DBUS_"):
		case home != "" && name != "PATH" && (value == home || strings.HasPrefix(value, home+"/")):
		default:
			env = append(env, entry)
		}
	}
	return env
}

// mighty are groups whose members are root by another way.
var mighty = []string{"root", "wheel", "sudo", "admin", "docker", "lxd", "libvirt", "disk", "kmem", "shadow"}

// Mighty returns the names of those of the user's groups that make it as good as
// root, by custom.
func (a Account) Mighty() []string {
	var names []string
	for _, id := range a.Groups {
		if g, err := user.LookupGroupId(strconv.FormatUint(uint64(id), 10)); err == nil && slices.Contains(mighty, g.Name) {
			names = append(names, g.Name)
		}
	}
	return names
}
