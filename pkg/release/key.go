package release

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"

	"aead.dev/minisign"

	"gobuild/pkg/atomicfile"
	"gobuild/pkg/hint"
)

// maxKeyFile bounds what is read of a key, in bytes.
const maxKeyFile = 64 << 10

// PublicKey checks signatures.
type PublicKey struct{ key minisign.PublicKey }

// ParsePublicKey reads a public key: the line of base64 that minisign shows
// as "-P", or the content of a file with a comment line above it.
func ParsePublicKey(text string) (PublicKey, error) {
	text = strings.ReplaceAll(strings.TrimSpace(text), "\r\n", "\n")
	var k PublicKey
	if err := k.key.UnmarshalText([]byte(text)); err != nil {
		return PublicKey{}, hint.With(fmt.Errorf("no public key: %w", shorten(err)),
			"it is the line that begins with RW in the .pub file that gobuild release keygen, or minisign -G, has written")
	}
	return k, nil
}

// PublicKeyOf reads a public key from text or, if that is none, from the file
// that it names.
func PublicKeyOf(textOrFile string) (PublicKey, error) {
	k, err := ParsePublicKey(textOrFile)
	if err == nil {
		return k, nil
	}
	data, readErr := atomicfile.Read(textOrFile, maxKeyFile)
	if readErr != nil {
		if looksLikeKey(textOrFile) {
			return PublicKey{}, err
		}
		return PublicKey{}, hint.With(fmt.Errorf("public key: %w", readErr), "give the key itself, the line that begins with RW, or the file that it is in")
	}
	if k, err = ParsePublicKey(string(data)); err != nil {
		return PublicKey{}, hint.With(fmt.Errorf("%s: %w", textOrFile, err), "%s", hint.Of(err))
	}
	return k, nil
}

// looksLikeKey reports whether text is meant to be a key, not a file's name.
func looksLikeKey(text string) bool {
	return strings.HasPrefix(text, "RW") && len(text) > 40 || strings.Contains(text, "\n")
}

// String returns the key as one line.
func (k PublicKey) String() string { return k.key.String() }

// ID returns the key's number as minisign shows it.
func (k PublicKey) ID() string { return keyID(k.key.ID()) }

// IsZero reports whether k is no key.
func (k PublicKey) IsZero() bool { return k.key.Equal(minisign.PublicKey{}) }

func keyID(id uint64) string { return fmt.Sprintf("%016X", id) }

// PrivateKey signs releases.
type PrivateKey struct{ key minisign.PrivateKey }

// GenerateKey returns a new key.
func GenerateKey() (PrivateKey, error) {
	_, key, err := minisign.GenerateKey(nil)
	return PrivateKey{key}, err
}

// Public returns the key that checks what k signs.
func (k PrivateKey) Public() PublicKey {
	public, _ := k.key.Public().(minisign.PublicKey)
	return PublicKey{public}
}

// Write writes k to a new file that only its owner may read, and its public
// key beside it, to file.pub. A password that is not empty encrypts k, which
// takes a second and a GiB of memory, as it does with minisign.
func (k PrivateKey) Write(file, password string) error {
	var text []byte
	var err error
	if password == "" {
		text, err = k.key.MarshalText()
	} else if err = checkMemory(passwordMemory); err == nil {
		text, err = minisign.EncryptKey(password, k.key)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	public, err := k.key.Public().(minisign.PublicKey).MarshalText()
	if err != nil {
		return fmt.Errorf("write %s.pub: %w", file, err)
	}
	// The public one first: a secret without it is of use, so the secret's
	// name is the one that must not be taken by half a pair.
	if _, err := os.Lstat(file); err == nil {
		return existing(file)
	}
	if err := atomicfile.WriteNew(file+".pub", append(public, '\n'), 0o644); err != nil {
		if errors.Is(err, os.ErrExist) {
			return existing(file + ".pub")
		}
		return err
	}
	if err := atomicfile.WriteNew(file, append(text, '\n'), 0o600); err != nil {
		os.Remove(file + ".pub")
		if errors.Is(err, os.ErrExist) {
			return existing(file)
		}
		return err
	}
	return nil
}

func existing(file string) error {
	return hint.With(fmt.Errorf("%s is there already", file), "a release key is never overwritten: who has its public half would take no release any more; choose another name")
}

// ReadPrivateKey reads a private key from a file. If the key is encrypted,
// password is called for what decrypts it.
func ReadPrivateKey(file string, password func() (string, error)) (PrivateKey, error) {
	data, err := atomicfile.Read(file, maxKeyFile)
	if err != nil {
		return PrivateKey{}, hint.With(fmt.Errorf("release key: %w", err), "gobuild release keygen FILE makes one")
	}
	var k PrivateKey
	if !minisign.IsEncrypted(data) {
		if err := k.key.UnmarshalText(data); err != nil {
			return PrivateKey{}, hint.With(fmt.Errorf("%s: no private key: %w", file, shorten(err)), "it is the file that gobuild release keygen, or minisign -G, has written, not the .pub beside it")
		}
		return k, nil
	}
	if err := checkMemory(memoryOf(data)); err != nil {
		return PrivateKey{}, fmt.Errorf("%s is encrypted: %w", file, err)
	}
	word, err := password()
	if err != nil {
		return PrivateKey{}, fmt.Errorf("%s is encrypted: %w", file, err)
	}
	if k.key, err = minisign.DecryptKey(word, data); err != nil {
		return PrivateKey{}, hint.With(fmt.Errorf("%s: the password does not decrypt it", file), "or the file is damaged")
	}
	return k, nil
}

// passwordMemory is what a password takes that encrypts a key, in bytes.
const passwordMemory = 1 << 30

// memoryOf returns what the password of an encrypted key takes, in bytes: less
// than the usual if minisign had no more.
func memoryOf(key []byte) uint64 {
	const at = 3*2 + 32 + 8 // behind algorithms, salt and number of operations
	var text []byte
	if words := bytes.Fields(key); len(words) > 0 {
		text = words[len(words)-1]
	}
	raw, err := base64.StdEncoding.DecodeString(string(text))
	if err != nil || len(raw) < at+8 {
		return 0 // and is refused
	}
	return binary.LittleEndian.Uint64(raw[at:])
}

// checkMemory returns an error if this process cannot have that much memory in
// one piece. The Go runtime would end the program.
func checkMemory(size uint64) error {
	if size <= math.MaxInt && haveMemory(int(size)) {
		return nil
	}
	return hint.With(fmt.Errorf("the password takes %d MiB of memory in one piece, and they are not to be had here", size>>20),
		"sign on a machine with more memory, of 64 bits, or with a key without a password")
}

// shorten takes the package's name off an error's text.
func shorten(err error) error {
	return errors.New(strings.TrimPrefix(err.Error(), "minisign: "))
}
