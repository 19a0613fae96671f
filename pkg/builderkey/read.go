package builderkey

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"unicode/utf8"

	"gobuild/pkg/hint"
)

// maxFile bounds how much of a key file is read, in bytes.
const maxFile = 64 << 10

// Found is a key and the file that it came from. It prints as its
// fingerprint, so that it cannot slip into a log.
type Found struct {
	// Key is the content of File, surrounding white space trimmed.
	Key string
	// File is the path that it was read from.
	File string
	// Mode is the file's mode.
	Mode fs.FileMode
	// Warnings say what is unusual about the file, one sentence each.
	Warnings []string
}

// Fingerprint returns the fingerprint of the key.
func (f Found) Fingerprint() string { return Fingerprint(f.Key) }

// String returns the file and the fingerprint, never the key.
func (f Found) String() string { return f.File + " " + f.Fingerprint() }

// GoString returns the same as String.
func (f Found) GoString() string { return f.String() }

// LogValue makes f log as String does; a JSON log would take its fields apart.
func (f Found) LogValue() slog.Value { return slog.StringValue(f.String()) }

// Format prints f as String does whatever the verb: fmt would take the fields
// apart for some.
func (f Found) Format(s fmt.State, _ rune) { io.WriteString(s, f.String()) }

// ReadKey reads the key in file: one word, surrounding white space and a
// UTF-8 byte order mark trimmed. The error names the file.
func ReadKey(file string) (Found, error) {
	found, err := readKey(file)
	if err != nil {
		return Found{}, fmt.Errorf("read key: %w", err)
	}
	return found, nil
}

func readKey(file string) (Found, error) {
	text, mode, warning, err := readSmall(file)
	if err != nil {
		return Found{}, err
	}
	found := Found{File: file, Mode: mode}
	if warning != "" {
		found.Warnings = append(found.Warnings, warning)
	}
	if rest, ok := bytes.CutPrefix(text, []byte(utf8BOM)); ok {
		text = rest
		found.Warnings = append(found.Warnings, fmt.Sprintf("%s begins with a byte order mark, which upstream's buildlet takes for a part of the key; write it without", file))
	}
	key := bytes.TrimSpace(text)
	switch {
	case len(key) == 0:
		return Found{}, hint.With(fmt.Errorf("%s is empty", file), formHint)
	case bytes.HasPrefix(key, []byte("\xff\xfe")), bytes.HasPrefix(key, []byte("\xfe\xff")):
		return Found{}, hint.With(fmt.Errorf("%s is UTF-16 text", file), `PowerShell's ">" writes that; write the key with: Set-Content -Encoding ascii -NoNewline`)
	case bytes.HasPrefix(key, []byte("-----BEGIN ")):
		return Found{}, hint.With(fmt.Errorf("%s holds PEM, which is no builder key", file), formHint)
	case bytes.ContainsAny(key, "\r\n \t"):
		return Found{}, hint.With(fmt.Errorf("%s holds more than one word", file), formHint)
	case bytes.ContainsFunc(key, func(r rune) bool { return r < ' ' || r == utf8.RuneError || r == 0x7f }):
		return Found{}, hint.With(fmt.Errorf("%s holds bytes that are no text", file), formHint)
	}
	if !keyShaped(key) {
		found.Warnings = append(found.Warnings, fmt.Sprintf("%s does not look like a builder key, which is 32 hex digits, small letters; this is %d characters", file, len(key)))
	}
	found.Key = string(key)
	return found, nil
}

// utf8BOM is the byte order mark that some editors begin UTF-8 text with.
const utf8BOM = "\xef\xbb\xbf"

const formHint = "a key file holds the 32 hex digits of the key and nothing else"

// keyShaped reports whether key could be one of Master.Key.
func keyShaped(key []byte) bool {
	return len(key) == 32 && !bytes.ContainsFunc(key, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'f')
	})
}

// readSmall reads a key file and refuses what cannot be one. The warning says
// who else can read it.
func readSmall(file string) (text []byte, mode fs.FileMode, warning string, err error) {
	// Before it is opened: opening a pipe waits for who writes to it.
	info, err := os.Stat(file)
	if err != nil {
		if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
			pathErr.Op = "open"
		}
		return nil, 0, "", err
	}
	if info.IsDir() {
		return nil, 0, "", fmt.Errorf("%s is a directory", file)
	}
	if !info.Mode().IsRegular() {
		return nil, 0, "", hint.With(fmt.Errorf("%s is no regular file", file), "put the key into a file, mode 0600: reading from a pipe or device may never end")
	}
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrPermission) {
		return nil, 0, "", hint.With(err, "%s (mode %04o) may be read by its owner only; run this as that user", file, info.Mode().Perm())
	}
	if err != nil {
		return nil, 0, "", err
	}
	defer f.Close()
	text, err = io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, 0, "", err
	}
	if len(text) > maxFile {
		return nil, 0, "", hint.With(fmt.Errorf("%s is larger than %d bytes", file, maxFile), "a key file holds one short line")
	}
	return text, info.Mode(), exposure(file, info), nil
}
