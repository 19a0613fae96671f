package release

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"

	"aead.dev/minisign"

	"gobuild/pkg/hint"
)

// MaxSignature bounds the content of a signature file, in bytes.
const MaxSignature = 8 << 10

// Info is what a signature says of its file, and signs.
type Info struct {
	// File is the file's name, without a directory.
	File string
	// Version is the version of the program in it, if the signer said it.
	Version string
	// Signed is when it was signed, in whole seconds; zero if the signer did
	// not say it. The later one of two signatures of a file is of the newer
	// release.
	Signed time.Time
}

// Errors that Verify and Open wrap.
var (
	ErrOtherKey = errors.New("signed by another key")
	ErrForged   = errors.New("the signature is not that of this key")
)

// Signature is a signature file whose comment was found good.
type Signature struct {
	Info
	key    PublicKey
	text   []byte
	signed minisign.Signature
}

// comment returns i as a trusted comment: minisign's own, and the version.
func (i Info) comment() string {
	text := fmt.Sprintf("timestamp:%d\tfile:%s", i.Signed.Unix(), i.File)
	if i.Version != "" {
		text += "\tversion:" + i.Version
	}
	return text + "\thashed"
}

// parseComment reads a trusted comment, of ours or of minisign's.
func parseComment(text string) (i Info) {
	for field := range strings.SplitSeq(text, "\t") {
		name, value, _ := strings.Cut(field, ":")
		switch name {
		case "timestamp":
			if sec, err := strconv.ParseInt(value, 10, 64); err == nil && sec > 0 && sec < 1<<40 {
				i.Signed = time.Unix(sec, 0).UTC()
			}
		case "file":
			i.File = value
		case "version":
			i.Version = value
		}
	}
	return i
}

// CheckWord returns an error if text cannot stand in a signature's comment as
// a file's name or a version.
func CheckWord(text string) error {
	if len(text) > 200 || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }) {
		return fmt.Errorf("%.60q cannot stand in a signature", text)
	}
	return nil
}

// Sign returns the signature of what r gives, which is i.
func Sign(r io.Reader, key PrivateKey, i Info) ([]byte, error) {
	if i.File == "" || i.Signed.Unix() <= 0 {
		return nil, errors.New("sign: the file's name and the time are needed")
	}
	for _, word := range []string{i.File, i.Version} {
		if err := CheckWord(word); err != nil {
			return nil, fmt.Errorf("sign: %w", err)
		}
	}
	message := minisign.NewReader(r)
	if _, err := io.Copy(io.Discard, message); err != nil {
		return nil, fmt.Errorf("sign %s: %w", i.File, err)
	}
	return message.SignWithComments(key.key, i.comment(), "signature from gobuild release key "+key.Public().ID()), nil
}

// Open reads a signature file and checks, without the content that it is of,
// that one of keys has signed what it says.
func Open(text []byte, keys []PublicKey) (*Signature, error) {
	if len(text) > MaxSignature {
		return nil, notOne(fmt.Errorf("more than %d bytes", MaxSignature))
	}
	s := &Signature{text: bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))}
	if err := s.signed.UnmarshalText(s.text); err != nil {
		return nil, notOne(shorten(err))
	}
	if s.signed.Algorithm != minisign.HashEdDSA {
		return nil, notOne(errors.New("it is of minisign's old kind, which does not hash the file first"))
	}
	found := false
	for _, key := range keys {
		if key.key.ID() != s.signed.KeyID {
			continue
		}
		found = true
		global := append(s.signed.Signature[:len(s.signed.Signature):len(s.signed.Signature)], s.signed.TrustedComment...)
		if ed25519.Verify(key.bytes(), global, s.signed.CommentSignature[:]) {
			s.key = key
			s.Info = parseComment(s.signed.TrustedComment)
			return s, nil
		}
	}
	if found {
		return nil, hint.With(ErrForged, "the signature file was changed after it was signed, or somebody else has made it; do not use what it came with")
	}
	return nil, hint.With(fmt.Errorf("%w, %s", ErrOtherKey, keyID(s.signed.KeyID)), "known: %s; ask the farm's maintainer for the public key if it has changed", keyIDs(keys))
}

// Verify checks that s is of what r gives.
func (s *Signature) Verify(r io.Reader) error {
	message := minisign.NewReader(r)
	if _, err := io.Copy(io.Discard, message); err != nil {
		return err
	}
	if !message.Verify(s.key.key, s.text) {
		return hint.With(fmt.Errorf("%w over this content", ErrForged), "the file or its signature is damaged, or of another release, or somebody has changed it; do not use it")
	}
	return nil
}

// Key returns the key that has signed.
func (s *Signature) Key() PublicKey { return s.key }

// bytes returns the bare Ed25519 key.
func (k PublicKey) bytes() ed25519.PublicKey {
	// Two bytes of algorithm and eight of the key's number stand before.
	raw, err := base64.StdEncoding.DecodeString(k.key.String())
	if err != nil || len(raw) != 10+ed25519.PublicKeySize {
		return make(ed25519.PublicKey, ed25519.PublicKeySize)
	}
	return ed25519.PublicKey(raw[10:])
}

func keyIDs(keys []PublicKey) string {
	if len(keys) == 0 {
		return "no key"
	}
	ids := make([]string, len(keys))
	for i, key := range keys {
		ids[i] = key.ID()
	}
	return strings.Join(ids, ", ")
}

func notOne(err error) error {
	return hint.With(fmt.Errorf("no signature of a release: %w", err), "gobuild release sign, or minisign -S, makes one")
}
