package release

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// MaxDigestFile bounds the content of a .sha256 file, in bytes.
const MaxDigestFile = 4 << 10

// FileDigest returns the SHA-256 digest of a file in small hexadecimal digits,
// and its size in bytes.
func FileDigest(file string) (digest string, size int64, err error) {
	f, err := os.Open(file)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	sum := sha256.New()
	if size, err = io.Copy(sum, f); err != nil {
		return "", 0, err
	}
	return hex.EncodeToString(sum.Sum(nil)), size, nil
}

// digestOf returns the digest of data.
func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// DigestLine returns the content of a .sha256 file, as sha256sum writes it.
func DigestLine(digest, name string) string { return digest + "  " + name + "\n" }

// ParseDigest returns the digest of the file called name from the content of a
// .sha256 file: lines as sha256sum writes them, or a digest alone.
func ParseDigest(text, name string) (string, error) {
	if len(text) > MaxDigestFile {
		return "", errors.New("too long for a digest")
	}
	seen := ""
	for line := range strings.Lines(text) {
		digest, file, named := strings.Cut(strings.TrimSpace(line), " ")
		if digest == "" {
			continue
		}
		raw, err := hex.DecodeString(digest)
		if err != nil || len(raw) != sha256.Size {
			return "", fmt.Errorf("%.80q is no line of sha256sum's", line)
		}
		file = strings.TrimPrefix(strings.TrimPrefix(file, " "), "*")
		if !named || file == name {
			return strings.ToLower(digest), nil
		}
		seen = file
	}
	if seen != "" {
		return "", fmt.Errorf("it is the digest of %.80q, not of %s", seen, name)
	}
	return "", errors.New("it is empty")
}
