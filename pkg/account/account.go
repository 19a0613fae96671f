// Package account tells what another user of this machine may do with its
// files, and has programs run as that user.
package account

import (
	"errors"
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

// Environ returns the environment of a program of this user: own, this
// process's, without what is of its user or a setting of gobuild's, which such
// a program gets as an argument.
func (a Account) Environ(own []string) []string {
	env := []string{"HOME=" + a.Home, "USER=" + a.Name, "LOGNAME=" + a.Name}
	for _, entry := range own {
		name, _, _ := strings.Cut(entry, "=")
		switch {
		case name == "HOME", name == "USER", name == "LOGNAME", name == "MAIL", name == "PWD", name == "OLDPWD":
		case strings.HasPrefix(name, "SUDO_"), strings.HasPrefix(name, "XDG_"), strings.HasPrefix(name, "GOBUILD_"):
		default:
			env = append(env, entry)
		}
	}
	return env
}
