// Package machinetoken knows LUCI machine tokens: the daemon that gets them,
// the file that it keeps them in, and what a token says about itself.
//
// A machine token proves to the Swarming server which machine a bot runs on
// (LUCI protocol, sections 5 to 7). The token daemon gets it and writes the
// token file; the bot and what starts it read that file. Daemon does what
// luci_machine_tokend does, in its files' exact forms, so that the two can take
// turns. Nothing here checks a token's signature: that is the server's part.
package machinetoken

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"time"

	"gobuild/pkg/hint"
)

// maxTokenFile bounds how much of a token file is read, in bytes; a real one
// has about a thousand.
const maxTokenFile = 64 << 10

// TokenFile is the content of a token file (LUCI protocol, section 7.6). It
// prints without its secrets.
type TokenFile struct {
	// Token is what a bot sends as X-Luci-Machine-Token.
	Token string
	// Expiry is when the token ends; zero if the file does not say.
	Expiry time.Time
	// LastUpdate is when the daemon got the token, NextUpdate from when on it
	// gets the next one; zero if the file does not say.
	LastUpdate, NextUpdate time.Time
	// State is what the daemon remembers of the run that got the token. It
	// means nothing to bots.
	State TokendState
	// Unknown lists fields that no token file has. Bots do not mind them;
	// luci_machine_tokend takes such a file for none and gets a new token at
	// each of its runs.
	Unknown []string
}

// TokendState is what a token daemon remembers in the token file (LUCI
// protocol, section 7.6). Its JSON form is luci_machine_tokend's.
type TokendState struct {
	// InputsDigest tells whether the token was asked for with the same
	// server, certificate and key (section 7.4).
	InputsDigest string
	// Version is that of the daemon.
	Version string
}

// String returns when the token ends, never the token.
func (f TokenFile) String() string {
	return "machine token until " + f.Expiry.UTC().Format(time.RFC3339)
}

// GoString returns the same as String, so that %#v shows no token either.
func (f TokenFile) GoString() string { return f.String() }

// TokenFilePath returns the token file that bots read: $LUCI_MACHINE_TOKEN,
// else the place of this operating system (LUCI protocol, section 7.1).
// getenv is os.Getenv outside tests.
func TokenFilePath(getenv func(string) string) string {
	if path := getenv("LUCI_MACHINE_TOKEN"); path != "" {
		return path
	}
	return defaultTokenFile
}

// ReadTokenFile reads a token file. The error names it and never shows its
// content.
func ReadTokenFile(path string) (TokenFile, error) {
	file, err := os.Open(path)
	if err != nil {
		return TokenFile{}, fmt.Errorf("read token file: %w", err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxTokenFile+1))
	if err != nil {
		return TokenFile{}, fmt.Errorf("read token file: %w", err)
	}
	f, err := ParseTokenFile(text)
	if err != nil {
		return TokenFile{}, hint.With(fmt.Errorf("token file %s: %w", path, err),
			"remove the file: the token daemon writes a new one at its next run")
	}
	return f, nil
}

// ParseTokenFile reads the text of a token file as luci_machine_tokend does,
// whose form is protojson: names in snake_case or lowerCamelCase, times as
// numbers or as strings of digits, null for what is not there, no name twice.
// Unlike it, it takes unknown fields and lists them.
func ParseTokenFile(text []byte) (TokenFile, error) {
	if len(text) > maxTokenFile {
		return TokenFile{}, fmt.Errorf("it is larger than %d bytes", maxTokenFile)
	}
	var f TokenFile
	dec := json.NewDecoder(bytes.NewReader(text))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return TokenFile{}, errors.New("it is no JSON object")
	}
	var seen []string
	for dec.More() {
		name, value, err := nextField(dec)
		if err != nil {
			return TokenFile{}, err
		}
		field, known := f.field(name)
		if !known {
			f.Unknown = append(f.Unknown, name)
			continue
		}
		if slices.Contains(seen, field.name) {
			return TokenFile{}, fmt.Errorf("it has %s twice", field.name)
		}
		seen = append(seen, field.name)
		if string(value) == "null" {
			continue
		}
		if err := field.set(value); err != nil {
			return TokenFile{}, fmt.Errorf("%s: %w", field.name, err)
		}
	}
	if _, err := dec.Token(); err != nil {
		return TokenFile{}, errors.New("it ends too early")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return TokenFile{}, errors.New("more follows the JSON object")
	}
	return f, nil
}

// nextField reads a name and its value. The errors of package json show pieces
// of the text, which is secret.
func nextField(dec *json.Decoder) (name string, value json.RawMessage, err error) {
	token, err := dec.Token()
	name, ok := token.(string)
	if err != nil || !ok || dec.Decode(&value) != nil {
		return "", nil, fmt.Errorf("it is no JSON from byte %d on", dec.InputOffset())
	}
	return name, value, nil
}

// field is a field of a token file and where its value goes.
type field struct {
	name string
	set  func(value json.RawMessage) error
}

// field returns the field of f with this name, in either spelling.
func (f *TokenFile) field(name string) (field, bool) {
	ignored := new(string)
	for _, known := range []struct {
		field
		camel string
	}{
		{field{"luci_machine_token", text(&f.Token)}, "luciMachineToken"},
		{field{"expiry", seconds(&f.Expiry)}, "expiry"},
		{field{"last_update", seconds(&f.LastUpdate)}, "lastUpdate"},
		{field{"next_update", seconds(&f.NextUpdate)}, "nextUpdate"},
		{field{"tokend_state", state(&f.State)}, "tokendState"},
		{field{"access_token", text(ignored)}, "accessToken"},
		{field{"token_type", text(ignored)}, "tokenType"},
		{field{"service_account_email", text(ignored)}, "serviceAccountEmail"},
		{field{"service_account_unique_id", text(ignored)}, "serviceAccountUniqueId"},
	} {
		if name == known.name || name == known.camel {
			return known.field, true
		}
	}
	return field{}, false
}

func text(to *string) func(json.RawMessage) error {
	return func(value json.RawMessage) error {
		if value[0] != '"' || json.Unmarshal(value, to) != nil {
			return errors.New("it is no string")
		}
		return nil
	}
}

func seconds(to *time.Time) func(json.RawMessage) error {
	return func(value json.RawMessage) error {
		digits := string(value)
		if value[0] == '"' && json.Unmarshal(value, &digits) != nil {
			return errors.New("it is no string")
		}
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil {
			return errors.New("it is no whole number of seconds")
		}
		if n != 0 {
			*to = time.Unix(n, 0)
		}
		return nil
	}
}

// state reads what the daemon remembers. What is in the base64 is between
// daemons: if it cannot be read, nothing is remembered.
func state(to *TokendState) func(json.RawMessage) error {
	return func(value json.RawMessage) error {
		var s string
		if err := text(&s)(value); err != nil {
			return err
		}
		data, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			return errors.New("it is no base64")
		}
		if json.Unmarshal(data, to) != nil {
			*to = TokendState{}
		}
		return nil
	}
}
