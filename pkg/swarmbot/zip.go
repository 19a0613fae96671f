package swarmbot

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

const (
	// maxZip bounds the bot's zip, in bytes; it has about 1.4 million.
	maxZip = 64 << 20
	// maxContent bounds what it unpacks to, in bytes.
	maxContent = 256 << 20
)

// Digest returns the content digest of a bot's zip, which is the bot's version:
// SHA-256, in hex, of each entry's name and content, both with their decimal
// length before them, in the byte order of the names (LUCI protocol, section
// 10.2). It returns an error for what is not a whole zip with an entry
// __main__.py, and so nothing that Python could run.
func Digest(data []byte) (string, error) {
	if len(data) == 0 {
		return "", errors.New("it is empty")
	}
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return "", fmt.Errorf("it is no zip (%w): it begins with %.60q", err, data[:min(60, len(data))])
	}
	entries := slices.SortedStableFunc(slices.Values(archive.File), func(a, b *zip.File) int { return strings.Compare(a.Name, b.Name) })
	if !slices.ContainsFunc(entries, func(f *zip.File) bool { return f.Name == "__main__.py" }) {
		return "", errors.New("it is a zip without __main__.py, and no bot")
	}
	hash := sha256.New()
	left := int64(maxContent)
	for _, entry := range entries {
		r, err := entry.Open()
		if err != nil {
			return "", fmt.Errorf("%s in the zip: %w", entry.Name, err)
		}
		content, err := io.ReadAll(io.LimitReader(r, left+1))
		r.Close()
		if err != nil {
			return "", fmt.Errorf("%s in the zip: %w", entry.Name, err)
		}
		if left -= int64(len(content)); left < 0 {
			return "", fmt.Errorf("it unpacks to more than %d bytes", maxContent)
		}
		io.WriteString(hash, strconv.Itoa(len(entry.Name))+entry.Name+strconv.Itoa(len(content)))
		hash.Write(content)
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// isDigest reports whether text has the form of a content digest.
func isDigest(text string) bool {
	raw, err := hex.DecodeString(text)
	return err == nil && len(raw) == sha256.Size
}
