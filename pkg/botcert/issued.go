package botcert

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gobuild/pkg/atomicfile"
	"gobuild/pkg/hint"
)

// Issued is a certificate in a CA's list.
type Issued struct {
	Serial      string     `json:"serial"` // in hex
	Hostname    string     `json:"hostname"`
	FQDN        string     `json:"fqdn"`
	Fingerprint string     `json:"fingerprint"` // of its key, see Fingerprint
	Issued      time.Time  `json:"issued"`
	Expires     time.Time  `json:"expires"`
	Shortened   bool       `json:"shortened,omitempty"` // it ends with the CA, sooner than was asked for
	Revoked     *time.Time `json:"revoked,omitempty"`
	File        string     `json:"file,omitempty"` // the CA's copy of the certificate
}

// enter puts a certificate into the list: a file of its own for each, so that
// two who sign at once do not lose each other's entry.
func (ca *CA) enter(issued Issued, cert []byte) error {
	if err := atomicfile.WriteNew(issued.File, cert, 0o644); err != nil {
		return err
	}
	record, err := encode(issued)
	if err == nil {
		err = atomicfile.WriteNew(ca.entry(issued.Serial, ".json"), record, 0o644)
	}
	if err != nil {
		os.Remove(issued.File)
	}
	return err
}

// strike removes a certificate from the list that nobody was given.
func (ca *CA) strike(issued Issued) {
	os.Remove(ca.entry(issued.Serial, ".json"))
	os.Remove(issued.File)
}

func (ca *CA) entry(serial, ending string) string {
	return filepath.Join(ca.dir, caIssued, serial+ending)
}

func encode(issued Issued) ([]byte, error) {
	issued.File = "" // follows from the place
	record, err := json.MarshalIndent(issued, "", "  ")
	return append(record, '\n'), err
}

// Issued returns the list of all certificates that the CA has issued, the
// oldest first.
func (ca *CA) Issued() ([]Issued, error) {
	files, err := filepath.Glob(filepath.Join(ca.dir, caIssued, "*.json"))
	if err != nil {
		return nil, err
	}
	list := []Issued{}
	for _, file := range files {
		data, err := readFile(file)
		if err != nil {
			return nil, err
		}
		var issued Issued
		if err := json.Unmarshal(data, &issued); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		issued.File = ca.entry(issued.Serial, ".pem")
		list = append(list, issued)
	}
	slices.SortFunc(list, func(a, b Issued) int {
		return cmp.Or(a.Issued.Compare(b.Issued), strings.Compare(a.Serial, b.Serial))
	})
	return list, nil
}

// Revoke takes back the certificate with a serial number, or with a beginning
// of it that no other has. It counts once a token server has the next CRL.
func (ca *CA) Revoke(serial string, now time.Time) (Issued, error) {
	all, err := ca.Issued()
	if err != nil {
		return Issued{}, err
	}
	serial = strings.TrimLeft(strings.ToLower(strings.ReplaceAll(serial, ":", "")), "0") // as openssl writes it
	var found []Issued
	for _, issued := range all {
		if serial != "" && strings.HasPrefix(issued.Serial, serial) {
			found = append(found, issued)
		}
	}
	const list = "gobuild csr ca list shows all serial numbers"
	switch {
	case len(found) == 0:
		return Issued{}, hint.With(fmt.Errorf("the CA has issued no certificate with the serial number %.40q", serial), list)
	case len(found) > 1:
		return Issued{}, hint.With(fmt.Errorf("%d serial numbers begin with %q", len(found), serial), list)
	case found[0].Revoked != nil:
		return found[0], fmt.Errorf("certificate %s of %s was revoked on %s already", found[0].Serial, found[0].Hostname, date(*found[0].Revoked))
	}
	when := now.UTC().Truncate(time.Second)
	found[0].Revoked = &when
	record, err := encode(found[0])
	if err != nil {
		return Issued{}, err
	}
	return found[0], atomicfile.Replace(ca.entry(found[0].Serial, ".json"), record, 0o644)
}
