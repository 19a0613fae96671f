// Package builderkey derives, reads and checks builder keys.
//
// A builder key proves that a machine may register as a host type, or that a
// person is a gomote user. It is derived from the farm's master key:
//
//	key(principal) = lower-case hex of HMAC-MD5(master, principal)
//
// where the principal is the raw text of the host type (host-linux-s390x) or
// of the user (user-joe). That is upstream's form (build protocol, section 1),
// kept byte for byte. Who asks for a key, and over which connection, is left
// to others.
package builderkey

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// UserPrefix begins the principal of a gomote user.
const UserPrefix = "user-"

// minMaster is how many bytes a master key should have: who has one key of the
// farm can try out shorter ones.
const minMaster = 16

// Master is a farm's master key. It prints as its fingerprint, so that it
// cannot slip into a log. It is safe for use by several goroutines.
type Master struct{ key []byte }

// DevMaster returns upstream's development master key, which everybody knows:
// it is for loopback addresses only. An upstream buildlet computes its key
// from it for every coordinator whose name does not begin with
// farmer.golang.org (build protocol, section 1).
func DevMaster() Master { return Master{[]byte("gophers rule")} }

// NewMaster returns the master key in text, surrounding white space trimmed.
// An empty key is an error: it would accept keys that anybody can compute.
func NewMaster(text []byte) (Master, error) {
	key := bytes.TrimSpace(text)
	if len(key) == 0 {
		return Master{}, errors.New("the master key is empty")
	}
	return Master{bytes.Clone(key)}, nil
}

// LocateMaster reads the master key in file as ReadMaster does, and returns
// what is to be told of it.
func LocateMaster(file string) (Found, error) {
	text, mode, warning, err := readSmall(file)
	if err != nil {
		return Found{}, fmt.Errorf("read master key: %w", err)
	}
	m, err := NewMaster(text)
	if err != nil {
		return Found{}, fmt.Errorf("master key file %s: %w", file, err)
	}
	found := Found{Key: string(m.key), File: file, Mode: mode}
	// Upstream takes all of these as they are, and keys have to be the same.
	switch {
	case bytes.HasPrefix(m.key, []byte(utf8BOM)), bytes.HasPrefix(m.key, []byte("\xff\xfe")), bytes.HasPrefix(m.key, []byte("\xfe\xff")):
		found.Warnings = append(found.Warnings, fmt.Sprintf("%s begins with a byte order mark, which is a part of the master key: without it all keys are others", file))
	case bytes.ContainsAny(m.key, "\r\n"):
		found.Warnings = append(found.Warnings, fmt.Sprintf("%s has several lines, which together are the master key; is it the right file?", file))
	}
	if len(m.key) < minMaster {
		found.Warnings = append(found.Warnings, fmt.Sprintf("the master key in %s is %d bytes, which can be guessed from any key made with it; a new one: gobuild keygen --new-master FILE", file, len(m.key)))
	}
	if warning != "" {
		found.Warnings = append(found.Warnings, warning)
	}
	return found, nil
}

// ReadMaster reads the master key from file. The warnings say what is unusual
// about the file. The error names it.
func ReadMaster(file string) (m Master, warnings []string, err error) {
	found, err := LocateMaster(file)
	if err != nil {
		return Master{}, nil, err
	}
	return Master{[]byte(found.Key)}, found.Warnings, nil
}

// IsZero reports whether m holds no key.
func (m Master) IsZero() bool { return len(m.key) == 0 }

// Key returns the key of principal: 32 lower-case hex digits. It panics for a
// zero Master, whose keys would be no secret.
func (m Master) Key(principal string) string {
	if m.IsZero() {
		panic("builderkey: key asked of an empty master")
	}
	h := hmac.New(md5.New, m.key)
	io.WriteString(h, principal)
	return hex.EncodeToString(h.Sum(nil))
}

// Verify reports whether key is the key of principal. It takes the same time
// whatever key holds.
func (m Master) Verify(principal, key string) bool {
	return subtle.ConstantTimeCompare([]byte(m.Key(principal)), []byte(key)) == 1
}

// String returns the fingerprint of m, never the key.
func (m Master) String() string { return "master key " + Fingerprint(string(m.key)) }

// Format prints m as String does whatever the verb: fmt would show the key's
// bytes for some.
func (m Master) Format(s fmt.State, _ rune) { io.WriteString(s, m.String()) }

// LogValue makes m log as its fingerprint.
func (m Master) LogValue() slog.Value { return slog.StringValue(m.String()) }

// Fingerprint returns a short name for a secret that is safe to show: the
// first 12 hex digits of its SHA-256.
func Fingerprint(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return "sha256:" + hex.EncodeToString(sum[:6])
}
