package release

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/mod/semver"

	"gobuild/pkg/atomicfile"
	"gobuild/pkg/hint"
	"gobuild/pkg/ports"
)

// maxProgram bounds a program that is published, in bytes.
const maxProgram = 512 << 20

// Published is a file that has its digest and its signature beside it.
type Published struct {
	File    string    `json:"file"`
	Port    string    `json:"port,omitempty"`
	Version string    `json:"version,omitempty"`
	Signed  time.Time `json:"signed"`
	Digest  string    `json:"digest"`
	Key     string    `json:"key"` // its number
}

// SignFile writes file.sha256 and file.sig.
func SignFile(file string, key PrivateKey, version string, now time.Time) (Published, error) {
	data, err := atomicfile.Read(file, maxProgram)
	if err != nil {
		return Published{}, err
	}
	program, _ := ReadProgram(file) // anything may be signed
	if version == "" {
		version = program.Version
	}
	p, err := newRelease(file, data, key, version, now)
	if err != nil {
		return Published{}, err
	}
	if len(program.Ports) == 1 {
		p.Port = program.String()
	}
	return p.Published, p.writeBeside()
}

// made is a release that is to be written.
type made struct {
	Published
	data, sig []byte
}

func newRelease(file string, data []byte, key PrivateKey, version string, now time.Time) (made, error) {
	name := filepath.Base(file)
	m := made{Published: Published{
		File: file, Version: version, Signed: now.UTC().Truncate(time.Second),
		Digest: digestOf(data), Key: key.Public().ID(),
	}, data: data}
	var err error
	m.sig, err = Sign(bytes.NewReader(data), key, Info{File: name, Version: version, Signed: m.Signed})
	return m, err
}

// writeBeside writes the digest and the signature.
func (m made) writeBeside() error {
	if err := atomicfile.Replace(m.File+".sha256", []byte(DigestLine(m.Digest, filepath.Base(m.File))), 0o644); err != nil {
		return err
	}
	return atomicfile.Replace(m.File+".sig", m.sig, 0o644)
}

// Publication is how files are published.
type Publication struct {
	Key     PrivateKey
	Dir     string // where to; it is made if it is not there
	Version string // "" for that of each program's main module
	Force   bool   // put an older version, or another signer's, in place
	Now     time.Time
}

// Publish puts a program into the directory as buildlet.GOOS-GOARCH, with its
// digest and its signature. Each of the three is replaced in one step, the
// program first; who reads between the steps finds that they do not fit and
// reads again.
func (p Publication) Publish(file string) (Published, error) {
	program, err := ReadProgram(file)
	if err != nil {
		return Published{}, hint.With(err, "what is published is a buildlet: gobuild itself, or upstream's")
	}
	port, err := onePort(program, file)
	if err != nil {
		return Published{}, err
	}
	version := p.Version
	if version == "" {
		version = program.Version
	}
	if version == "" {
		return Published{}, hint.With(fmt.Errorf("%s does not say its version", file), "give it with --version")
	}
	data, err := atomicfile.Read(file, maxProgram)
	if err != nil {
		return Published{}, err
	}
	if err := os.MkdirAll(p.Dir, 0o755); err != nil {
		return Published{}, hint.With(err, "choose a directory that you may write to with --dir")
	}
	target := filepath.Join(p.Dir, "buildlet."+port.String())
	signed, err := p.after(target, version)
	if err != nil {
		return Published{}, err
	}
	m, err := newRelease(target, data, p.Key, version, signed)
	if err != nil {
		return Published{}, err
	}
	m.Port = port.String()
	if err := atomicfile.Replace(target, data, 0o755); err != nil {
		return Published{}, err
	}
	return m.Published, m.writeBeside()
}

// onePort returns the port of a program. Where the header leaves several, the
// file's name decides; else the two have to agree.
func onePort(program Program, file string) (ports.Port, error) {
	named, err := ports.Parse(strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), "buildlet."), ".exe"))
	hasName := err == nil && strings.HasPrefix(filepath.Base(file), "buildlet.")
	if hasName {
		if err := program.RunsOn(named); err != nil {
			return ports.Port{}, fmt.Errorf("%s: %w", file, err)
		}
		return named, nil
	}
	if len(program.Ports) > 1 {
		return ports.Port{}, hint.With(fmt.Errorf("%s may be for %s", file, program), "call it buildlet.GOOS-GOARCH to say which")
	}
	return program.Ports[0], nil
}

// after returns a time for a release that is to follow the one that is there,
// or an error if it should not.
func (p Publication) after(target, version string) (time.Time, error) {
	now := p.Now
	text, err := atomicfile.Read(target+".sig", MaxSignature)
	if errors.Is(err, fs.ErrNotExist) {
		return now, nil
	}
	if err != nil {
		return now, err
	}
	sig, err := Open(text, []PublicKey{p.Key.Public()})
	switch {
	case err != nil && !p.Force:
		return now, hint.With(fmt.Errorf("%s.sig: %w", target, err), "machines that know the other key would take no release any more; sign with that key, or give --force")
	case err != nil:
		return now, nil
	}
	if older(version, sig.Version) && !p.Force {
		return now, hint.With(fmt.Errorf("%s is there in version %s, which is newer than %s", target, sig.Version, version), "to go back on purpose, give --force; every machine follows")
	}
	if least := sig.Signed.Add(time.Second); now.Before(least) {
		return least, nil // this machine's clock may be behind
	}
	return now, nil
}

// older reports whether a version comes before another, where that can be
// told.
func older(version, than string) bool {
	a, b := "v"+strings.TrimPrefix(version, "v"), "v"+strings.TrimPrefix(than, "v")
	return semver.IsValid(a) && semver.IsValid(b) && semver.Compare(a, b) < 0
}

// Check verifies a file by the digest and the signature beside it. The digest
// may be missing.
func Check(file string, keys []PublicKey) (Published, error) {
	text, err := atomicfile.Read(file+".sig", MaxSignature)
	if err != nil {
		return Published{}, hint.With(err, "the signature has to lie beside the file; of a release name the program alone, as buildlet.linux-amd64")
	}
	sig, err := Open(text, keys)
	if err != nil {
		return Published{}, fmt.Errorf("%s.sig: %w", file, err)
	}
	f, err := os.Open(file)
	if err != nil {
		return Published{}, err
	}
	defer f.Close()
	if err := sig.Verify(f); err != nil {
		return Published{}, fmt.Errorf("%s: %w", file, err)
	}
	if name := filepath.Base(file); sig.File != name {
		return Published{}, hint.With(fmt.Errorf("%s: the signature is that of a file called %.100q", file, sig.File), "somebody may pass one file off as another; was it only renamed, give it its name back")
	}
	digest, _, err := FileDigest(file)
	if err != nil {
		return Published{}, err
	}
	if text, err := atomicfile.Read(file+".sha256", MaxDigestFile); err == nil {
		if want, err := ParseDigest(string(text), filepath.Base(file)); err != nil || want != digest {
			return Published{}, hint.With(fmt.Errorf("%s: its digest is not that in %s.sha256", file, file), "gobuild release sign writes both anew")
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return Published{}, err
	}
	p := Published{File: file, Version: sig.Version, Signed: sig.Signed, Digest: digest, Key: sig.Key().ID()}
	if program, err := ReadProgram(file); err == nil && len(program.Ports) == 1 {
		p.Port = program.String()
	}
	return p, nil
}
