package builderkey

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode"

	"gobuild/pkg/atomicfile"
	"gobuild/pkg/hint"
)

// CreateMaster makes a random master key of 256 bits and writes it to file,
// mode 0600, in hex. It makes the directory, too, if only that is missing. A
// file that is there is never replaced: all keys of a farm hang on it.
func CreateMaster(file string) (Master, error) {
	makeDir(filepath.Dir(file))
	var secret [32]byte
	rand.Read(secret[:]) // never fails
	text := hex.EncodeToString(secret[:])
	if err := atomicfile.WriteNew(file, []byte(text+"\n"), 0o600); err != nil {
		err = fmt.Errorf("new master key: %w", err)
		if errors.Is(err, fs.ErrExist) {
			err = hint.With(err, "all keys of a farm are made from its master key; move the old one away if you mean to change all of them")
		}
		return Master{}, err
	}
	return NewMaster([]byte(text))
}

// makeDir makes dir unless something is there. Whoever then writes into it
// says what is wrong.
func makeDir(dir string) { os.Mkdir(dir, 0o700) }

// WriteKey writes the key of principal to PRINCIPAL.key in dir, mode 0600, and
// returns the file's name. It makes dir, too, if only that is missing. A file
// that holds the same key is left alone; one that holds another is an error
// unless force is set.
func WriteKey(dir, principal, key string, force bool) (file string, err error) {
	if err := CheckFileName(principal); err != nil {
		return "", err
	}
	makeDir(dir)
	file = filepath.Join(dir, principal+".key")
	return file, writeKey(file, key, force)
}

// InstallKey writes the key of principal to where its bearer looks for it, see
// KeyFile, making the directory if need be, and returns the file's name.
// Otherwise it does what WriteKey does.
func InstallKey(principal, key string, getenv func(string) string, force bool) (file string, err error) {
	if err := CheckFileName(principal); err != nil {
		return "", err
	}
	file = KeyFile(principal, getenv)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return "", fmt.Errorf("install key: %w", err)
	}
	return file, writeKey(file, key, force)
}

// CheckFileName refuses a principal that cannot be part of a file name on
// every system.
func CheckFileName(principal string) error {
	if principal != "" && !strings.ContainsFunc(principal, func(r rune) bool {
		return unicode.IsControl(r) || strings.ContainsRune(`/\:*?"<>|`, r)
	}) {
		return nil
	}
	return hint.With(fmt.Errorf("write key: %q cannot be part of a file name", principal), "let the key be printed, and choose its file yourself")
}

func writeKey(file, key string, force bool) error {
	text := []byte(key + "\n")
	err := atomicfile.WriteNew(file, text, 0o600)
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	there, readErr := readKey(file)
	switch {
	case readErr == nil && there.Key == key && len(there.Warnings) == 0:
		return nil
	case force, readErr == nil && there.Key == key:
		return atomicfile.Replace(file, text, 0o600)
	case readErr != nil:
		return hint.With(fmt.Errorf("%s is there already, and cannot be read as a key: %w", file, readErr), "move it away, or replace it with --force")
	}
	return hint.With(fmt.Errorf("%s is there already and holds another key, %s; the new one is %s", file, there.Fingerprint(), Fingerprint(key)),
		"replace it with --force, if no machine needs the old one")
}
