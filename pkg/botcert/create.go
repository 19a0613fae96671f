package botcert

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gobuild/pkg/atomicfile"
	"gobuild/pkg/hint"
)

// CreateOptions is what Create makes, and where.
type CreateOptions struct {
	Host     Host
	Dir      string // has to be there; empty means the current directory
	Force    bool   // keep files that are there aside, and make new ones
	ReuseKey bool   // make the CSR from the key that is there
	Now      time.Time
}

// Created is what Create made.
type Created struct {
	Hostname    string   `json:"hostname"`
	FQDN        string   `json:"fqdn"`
	Key         string   `json:"key"`             // file with the private key, for nobody else
	CSR         string   `json:"csr"`             // file with the CSR, for the farm's team
	Text        string   `json:"csrText"`         // the same under a name that issue trackers take
	Fingerprint string   `json:"fingerprint"`     // of the key, see Fingerprint
	Reused      bool     `json:"reused"`          // the key was there before
	Kept        []string `json:"kept,omitempty"`  // where files went that were there before
	Notes       []Note   `json:"notes,omitempty"` // about a key that was there
}

// Create makes the private key of a bot host and its CSR: HOST.key,
// HOST.csr and HOST.csr.txt, with the content, names and mode (0600) that
// genbotcert gives them (LUCI protocol, section 11). It never overwrites: a
// key that is there may be the one of an issued certificate, and without it
// that certificate is worth nothing. After an error all files are as they
// were. Making a key takes minutes on a slow machine; when ctx ends, Create
// returns.
func Create(ctx context.Context, opts CreateOptions) (Created, error) {
	path := func(ending string) string { return filepath.Join(opts.Dir, opts.Host.Name+ending) }
	made := Created{Hostname: opts.Host.Name, FQDN: FQDN(opts.Host.Name), Key: path(".key"), CSR: path(".csr"), Text: path(".csr.txt"), Reused: opts.ReuseKey}
	var key crypto.Signer
	var err error
	if opts.ReuseKey {
		if key, made.Notes, err = reusableKey(made.Key); err != nil {
			return Created{}, err
		}
	} else {
		// So that nobody waits for a key to hear it; writeAll is what decides.
		if !opts.Force && len(existing(made.Key, made.CSR, made.Text)) > 0 {
			return Created{}, inTheWay(made)
		}
		if err := writable(opts.Dir); err != nil {
			return Created{}, err
		}
		if key, err = generate(ctx, keyBits); err != nil {
			return Created{}, fmt.Errorf("make a key for %s: %w", made.FQDN, err)
		}
	}
	csr, err := newCSR(opts.Host.Name, key)
	if err != nil {
		return Created{}, err
	}
	made.Fingerprint = Fingerprint(key.Public())
	files := []newFile{{made.CSR, csr}, {made.Text, csr}}
	if !opts.ReuseKey {
		// First, as a CSR without its key is worse than a key without a CSR.
		files = append([]newFile{{made.Key, keyPEM(key.(*rsa.PrivateKey))}}, files...)
	}
	made.Kept, err = writeAll(files, opts.Force, opts.Now)
	if errors.Is(err, fs.ErrExist) {
		err = inTheWay(made)
	}
	if err != nil {
		return Created{}, err
	}
	return made, nil
}

// generate returns a new RSA key. The work cannot be stopped, but it can be
// left to itself.
func generate(ctx context.Context, bits int) (*rsa.PrivateKey, error) {
	type result struct {
		key *rsa.PrivateKey
		err error
	}
	done := make(chan result, 1)
	go func() {
		key, err := rsa.GenerateKey(rand.Reader, bits)
		done <- result{key, err}
	}()
	select {
	case r := <-done:
		return r.key, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func keyPEM(key *rsa.PrivateKey) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
}

// reusableKey reads the key that a CSR is to be made from.
func reusableKey(file string) (crypto.Signer, []Note, error) {
	key, notes, err := ReadKey(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, hint.With(fmt.Errorf("no key to reuse: %w", err), "leave out --reuse-key, and a key is made")
	}
	if err != nil {
		return nil, nil, fmt.Errorf("the key to reuse: %w", err)
	}
	if f := keyFinding(key.Public(), false, ""); f.State == Fail {
		return nil, nil, hint.With(fmt.Errorf("the key to reuse: %s is %s, wanted %s", file, f.Found, f.Wanted), "make a new one with --force in place of --reuse-key")
	}
	return key, notes, nil
}

// writable tries whether files can be made in dir, before minutes go into a
// key for nothing.
func writable(dir string) error {
	if dir == "" {
		dir = "."
	}
	f, err := os.CreateTemp(dir, ".gobuild-*")
	if err != nil {
		if path, ok := errors.AsType[*fs.PathError](err); ok {
			err = path.Err // the name of the file would be a riddle
		}
		return hint.With(fmt.Errorf("write into %s: %w", dir, err), "the directory has to be there, and you need the right to create files in it")
	}
	f.Close()
	return os.Remove(f.Name())
}

// existing returns those of the files that are there, dangling links too.
func existing(files ...string) []string {
	var there []string
	for _, file := range files {
		if _, err := os.Lstat(file); err == nil {
			there = append(there, file)
		}
	}
	return there
}

// inTheWay says which files of made are there already.
func inTheWay(made Created) error {
	there := existing(made.Key, made.CSR, made.Text)
	err := fmt.Errorf("already there: %s", strings.Join(there, ", "))
	const force = "--force keeps what is there aside under a dated name"
	switch {
	case made.Reused:
		return hint.With(err, "the CSR that is there is not the one of this key; %s", force)
	case !slices.Contains(there, made.Key):
		return hint.With(err, "the key that belongs to it is not there, look for it first; %s and begins anew", force)
	}
	return hint.With(err, "the key may be that of an issued certificate; to make or renew the CSR from it, add --reuse-key;\n"+
		"%s and makes a new key, which needs a new certificate", force)
}

// newFile is a file to be written.
type newFile struct {
	path string
	data []byte
}

// writeAll writes all files or none. With aside, what is in the way is moved
// to a dated name, and these names are returned; otherwise it is an error that
// is fs.ErrExist. A file that has its new content already is left alone.
func writeAll(files []newFile, aside bool, now time.Time) (kept []string, err error) {
	var undo []func()
	defer func() {
		if err != nil {
			for _, u := range slices.Backward(undo) {
				u()
			}
		}
	}()
	for _, f := range files {
		if old, err := readFile(f.path); err == nil && bytes.Equal(old, f.data) {
			continue
		}
		if aside && len(existing(f.path)) > 0 {
			moved, err := moveAside(f.path, now)
			if err != nil {
				return nil, fmt.Errorf("keep %s aside: %w", f.path, err)
			}
			kept = append(kept, moved)
			undo = append(undo, func() { os.Rename(moved, f.path) })
		}
		if err := atomicfile.WriteNew(f.path, f.data, 0o600); err != nil {
			return nil, err
		}
		undo = append(undo, func() { os.Remove(f.path) })
	}
	return kept, nil
}

// moveAside gives file a name with the date in it, which it returns.
func moveAside(file string, now time.Time) (string, error) {
	base := file + ".old-" + now.UTC().Format("20060102-150405")
	name := base
	// A rename would overwrite, so take the name first.
	err := atomicfile.WriteNew(name, nil, 0o600)
	for n := 2; errors.Is(err, fs.ErrExist); n++ {
		name = fmt.Sprintf("%s-%d", base, n)
		err = atomicfile.WriteNew(name, nil, 0o600)
	}
	if err != nil {
		return "", err
	}
	if err := os.Rename(file, name); err != nil {
		os.Remove(name)
		return "", err
	}
	return name, nil
}
