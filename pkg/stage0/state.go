package stage0

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"time"

	"gobuild/pkg/atomicfile"
)

// State is what a Fetcher remembers, in File.json.
type State struct {
	// Current is the program in File.
	Current Program `json:"current,omitzero"`
	// Previous is the program in File.previous, if any.
	Previous Program `json:"previous,omitzero"`
	// Next is a program that is about to take Current's place. It is set only
	// while that happens, for the start after a power cut.
	Next *Program `json:"next,omitempty"`
	// Partial is the program that File.part is the beginning of.
	Partial *Program `json:"partial,omitempty"`
	// Bad are programs that did not prove good, the latest last.
	Bad []BadProgram `json:"bad,omitempty"`
	// Intact is whether File has Current's digest.
	Intact bool `json:"-"`
}

// Program is a program and where it came from.
type Program struct {
	Digest       string    `json:"digest"` // SHA-256, hexadecimal
	Version      string    `json:"version,omitempty"`
	Signed       time.Time `json:"signed,omitzero"` // when, by its signature
	Key          string    `json:"key,omitempty"`   // public key of the signature that was checked
	URL          string    `json:"url,omitempty"`   // without its query
	ETag         string    `json:"etag,omitempty"`
	LastModified string    `json:"lastModified,omitempty"`
	Size         int64     `json:"size,omitempty"`     // bytes; of a partial one, -1 if unknown
	Since        time.Time `json:"since,omitzero"`     // when it was put in place
	Confirmed    time.Time `json:"confirmed,omitzero"` // when it proved good
}

// BadProgram is one that is not fetched again.
type BadProgram struct {
	Program
	Why  string    `json:"why"`
	When time.Time `json:"when"`
}

const (
	maxState = 1 << 20 // bytes
	maxBad   = 50
)

// parseState reads File.json. What cannot be read counts as nothing known.
func parseState(data []byte) (State, error) {
	var s State
	if err := json.Unmarshal(data, &s); err != nil {
		return State{}, err
	}
	if len(s.Bad) > maxBad {
		s.Bad = s.Bad[len(s.Bad)-maxBad:]
	}
	return s, nil
}

// bad returns the reason why a program is known to be bad.
func (s *State) bad(digest string) (why string, known bool) {
	i := slices.IndexFunc(s.Bad, func(b BadProgram) bool { return digest != "" && b.Digest == digest })
	if i < 0 {
		return "", false
	}
	return s.Bad[i].Why, true
}

// addBad remembers a program as bad.
func (s *State) addBad(p Program, why string) {
	s.Bad = slices.DeleteFunc(s.Bad, func(b BadProgram) bool { return b.Digest == p.Digest })
	s.Bad = append(s.Bad, BadProgram{Program: p, Why: why, When: now()})
	if len(s.Bad) > maxBad {
		s.Bad = s.Bad[len(s.Bad)-maxBad:]
	}
}

// now is the time as the state file keeps it.
func now() time.Time { return time.Now().UTC().Truncate(time.Second) }

// readState reads the state file; without one nothing is known yet.
func (f *Fetcher) readState() (State, error) {
	file, err := os.Open(f.File + ".json")
	if errors.Is(err, fs.ErrNotExist) {
		return State{}, nil
	}
	if err != nil {
		return State{}, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxState+1))
	if err != nil {
		return State{}, err
	}
	s, err := parseState(data)
	if err != nil {
		f.log().Warn("the state file cannot be read; it is made anew", "file", f.File+".json", "err", err)
	}
	return s, nil
}

// save writes the state file.
func (s *files) save() error {
	data, err := json.MarshalIndent(&s.state, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", s.name(".json"), err)
	}
	return atomicfile.Replace(s.name(".json"), append(data, '\n'), 0o644)
}
