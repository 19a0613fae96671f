package request

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"gobuild/pkg/api"
	"gobuild/pkg/atomicfile"
	"gobuild/pkg/botcert"
	"gobuild/pkg/hint"
)

// ForCoordinator returns the draft as a coordinator takes it. hostType is the
// host type that the owner would like, or "". Without a CSR it is an error:
// the CSR's key is the proof of who asks.
func (d *Draft) ForCoordinator(hostType string) (api.NewRequest, error) {
	if d.csr == nil {
		return api.NewRequest{}, d.noCSR()
	}
	report := d.parts.Report
	if d.parts.Notes != "" {
		report = strings.TrimSpace("Notes of the owner:\n" + d.parts.Notes + "\n\n" + report)
	}
	return api.NewRequest{
		Hostname: d.Hostname,
		Port:     d.Port,
		HostType: hostType,
		Contact:  d.parts.Contact,
		CSR:      d.parts.CSR,
		Report:   report,
	}, nil
}

func (d *Draft) noCSR() error {
	return hint.With(fmt.Errorf("a coordinator takes no request without a CSR, and there is no %s.csr here", d.Hostname),
		"make one with gobuild csr %s, or name it with --csr", d.Hostname)
}

// Key reads the private key of the draft's CSR: from file, or if that is "",
// from HOSTNAME.key here or beside the CSR.
func (d *Draft) Key(file string) (crypto.Signer, error) {
	if d.csr == nil {
		return nil, d.noCSR()
	}
	key, file, err := readKey(file, d.Hostname, filepath.Dir(d.CSRFile))
	if err != nil {
		return nil, err
	}
	if err := botcert.Match(d.csr.PublicKey, key); err != nil {
		return nil, hint.With(fmt.Errorf("%s and %s: %w", file, d.CSRFile, err), "%s", hint.Of(err))
	}
	return key, nil
}

// ReadKey reads the private key with which the request id was filed: from
// file, or if that is "", from HOSTNAME.key here.
func ReadKey(file, id string) (crypto.Signer, error) {
	host, _, _ := strings.Cut(id, ".")
	if _, err := botcert.CheckHost(host, true); err != nil && file == "" {
		return nil, api.NoRequest(id)
	}
	key, _, err := readKey(file, host, "")
	return key, err
}

// readKey returns a key and the file that it is in.
func readKey(file, host, dir string) (crypto.Signer, string, error) {
	if file == "" {
		if file = host + ".key"; !regular(file) {
			file = filepath.Join(dir, file)
		}
	}
	key, _, err := botcert.ReadKey(file)
	if errors.Is(err, fs.ErrNotExist) {
		err = hint.With(err, "the coordinator wants to see that you hold the key of the CSR for %s: name its file with --key", host)
	}
	return key, file, err
}

// SaveGranted writes what a coordinator has granted to its proven owner into
// dir: HOSTNAME.cert, and the builder key as HOSTTYPE.key, for its owner's
// eyes only. It returns the files. A file that is there already is left alone,
// which is an error unless it holds the same. key is the CSR's: a certificate
// for another one is refused.
func SaveGranted(r api.Request, key crypto.Signer, dir string) ([]string, error) {
	var files []string
	if r.Certificate != "" {
		cert, _, err := botcert.ParseCertificate([]byte(r.Certificate))
		if err == nil {
			err = botcert.Match(cert.PublicKey, key)
		}
		if err != nil {
			return nil, hint.With(fmt.Errorf("the certificate of request %s: %w", r.ID, err), "ask the maintainer for the right one")
		}
		file := filepath.Join(dir, filepath.Base(r.Hostname)+".cert")
		if err := save(file, r.Certificate, 0o644); err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	if r.BuilderKey != "" {
		file := filepath.Join(dir, filepath.Base(r.HostType)+".key")
		if err := save(file, r.BuilderKey+"\n", 0o600); err != nil {
			return files, err
		}
		files = append(files, file)
	}
	return files, nil
}

// save writes a new file, unless it is there as it is.
func save(file, text string, mode fs.FileMode) error {
	err := atomicfile.WriteNew(file, []byte(text), mode)
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	if there, readErr := os.ReadFile(file); readErr == nil && bytes.Equal(bytes.TrimSpace(there), []byte(strings.TrimSpace(text))) {
		return nil
	}
	return hint.With(fmt.Errorf("%s is there already, and holds something else", file), "move it away, or name another directory")
}
