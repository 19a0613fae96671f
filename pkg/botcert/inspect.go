package botcert

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gobuild/pkg/hint"
)

// Inspection is what Inspect holds files against.
type Inspection struct {
	Host    string    // bot's host name; empty means the one that the file itself names
	NewPort bool      // the host name may be of a port that Go does not have yet
	KeyFile string    // one more file, which has to be the private key; empty means none
	CA      string    // file with the CA's certificate, or the directory of a local CA; empty means any CA
	CRL     string    // file with the CA's revocation list; needs CA
	ECDSA   bool      // the farm takes ECDSA keys
	MinDays int       // days that a certificate has to have left
	Stdin   io.Reader // the file "-", if not nil
	Now     time.Time
}

// Report is what Inspect has to say about a file.
type Report struct {
	File        string     `json:"file"`
	Kind        string     `json:"kind,omitempty"`        // "certificate request", "certificate" or "private key"; empty if it is none of them
	FQDN        string     `json:"fqdn,omitempty"`        // the name that it carries
	Serial      string     `json:"serial,omitempty"`      // of a certificate, in hex
	NotAfter    *time.Time `json:"notAfter,omitempty"`    // end of a certificate
	DaysLeft    *int       `json:"daysLeft,omitempty"`    // whole days until then
	Fingerprint string     `json:"fingerprint,omitempty"` // of its public key, see Fingerprint
	Findings    []Finding  `json:"findings"`
}

// Kinds of a Report.
const (
	KindCSR         = "certificate request"
	KindCertificate = "certificate"
	KindKey         = "private key"
)

// OK reports whether no finding of the report is a failure.
func (r Report) OK() bool {
	for _, f := range r.Findings {
		if f.State == Fail {
			return false
		}
	}
	return true
}

// Inspect says of each file what it is, and what the signer of a CSR, the
// token server of a certificate, or luci_machine_tokend of a key would say
// about it; and whether they belong together. The error is about what the
// files are held against.
func Inspect(files []string, with Inspection) ([]Report, error) {
	against, err := with.read()
	if err != nil {
		return nil, err
	}
	var reports []Report
	for _, file := range files {
		reports = append(reports, against.inspect(file, ""))
	}
	if with.KeyFile != "" {
		reports = append(reports, against.inspect(with.KeyFile, kindRSAKey))
	}
	match(reports)
	return reports, nil
}

// inspector is an Inspection with its files read.
type inspector struct {
	Inspection
	ca  *x509.Certificate
	crl *x509.RevocationList
}

func (with Inspection) read() (*inspector, error) {
	in := &inspector{Inspection: with}
	if with.CA == "" {
		if with.CRL != "" {
			return nil, errors.New("a revocation list says nothing without the CA's certificate")
		}
		return in, nil
	}
	file := with.CA
	if info, err := os.Stat(file); err == nil && info.IsDir() {
		file = filepath.Join(file, CACertificateFile)
	}
	var err error
	if in.ca, _, err = ReadCertificate(file); err != nil {
		return nil, fmt.Errorf("certificate of the CA: %w", err)
	}
	if with.CRL != "" {
		if in.crl, err = readCRL(with.CRL); err != nil {
			return nil, fmt.Errorf("revocation list: %w", err)
		}
	}
	return in, nil
}

// readCRL reads a revocation list, in PEM or DER.
func readCRL(file string) (*x509.RevocationList, error) {
	data, err := readFile(file)
	if err != nil {
		return nil, err
	}
	der := data
	if block, _ := pem.Decode(data); block != nil {
		der = block.Bytes
	}
	crl, err := x509.ParseRevocationList(der)
	if err != nil {
		return nil, hint.With(fmt.Errorf("%s: %w", file, err), "it is the file that gobuild csr ca crl makes, or that the CA's URL gives")
	}
	return crl, nil
}

// inspect judges one file; want is what it has to be, if not empty.
func (in *inspector) inspect(file string, want kind) Report {
	r := Report{File: file}
	data, err := in.readFile(file)
	if err == nil {
		err = in.fill(&r, data, want)
	} else if path, ok := errors.AsType[*os.PathError](err); ok {
		err = path.Err // the report names the file
	}
	if err != nil {
		r.Findings = []Finding{{State: Fail, What: "file", Found: err.Error(), Hint: hint.Of(err)}}
	}
	return r
}

func (in *inspector) readFile(file string) ([]byte, error) {
	if file == "-" && in.Stdin != nil {
		return readSmall(in.Stdin, "standard input")
	}
	return readFile(file)
}

func (in *inspector) fill(r *Report, data []byte, want kind) error {
	if want == "" {
		a, err := open(data, quoted(r.File), "")
		if err != nil {
			return err
		}
		want = kindOf(a.blocks[0])
		if want == kindParameters && len(a.blocks) > 1 {
			want = kindOf(a.blocks[1])
		}
	}
	switch {
	case want == kindCSR:
		return in.csr(r, data)
	case want == kindCertificate:
		return in.certificate(r, data)
	case want.isKey():
		return in.key(r, data)
	}
	return wrong(want, quoted(r.File), "")
}

func (in *inspector) csr(r *Report, data []byte) error {
	csr, notes, err := parseCSR(data, quoted(r.File))
	if err != nil {
		return err
	}
	r.Kind, r.FQDN, r.Fingerprint = KindCSR, csr.Subject.CommonName, Fingerprint(csr.PublicKey)
	host := in.hostFor(r.FQDN)
	// The signer is somebody else's program, so a note is as bad as a defect.
	r.Findings = append(r.Findings, fileFinding(data, notes, Fail))
	r.Findings = append(r.Findings, in.hostFinding(host))
	r.Findings = append(r.Findings, csrFindings(csr, host, in.ECDSA)...)
	return nil
}

func (in *inspector) certificate(r *Report, data []byte) error {
	cert, notes, err := parseCertificate(data, quoted(r.File))
	if err != nil {
		return err
	}
	left := daysBetween(in.Now, cert.NotAfter)
	r.Kind, r.FQDN, r.Fingerprint = KindCertificate, tokenName(cert), Fingerprint(cert.PublicKey)
	r.NotAfter, r.DaysLeft, r.Serial = &cert.NotAfter, &left, fmt.Sprintf("%x", cert.SerialNumber)
	host := in.hostFor(r.FQDN)
	r.Findings = append(r.Findings, fileFinding(data, notes, Warn))
	valid := validityFinding(cert, in.Now)
	if valid.State != Fail && in.MinDays > 0 {
		valid = in.enoughDays(valid, cert)
	}
	findings := []Finding{certKeyFinding(cert, in.ECDSA), valid, issuerFinding(cert)}
	if in.ca != nil {
		findings = append(findings, issuedBy(in.ca, cert))
	}
	if in.crl != nil {
		findings = append(findings, notRevoked(in.crl, in.ca, cert))
	}
	findings = append(findings, nameFinding(cert, host), serialFinding(cert))
	r.Findings = append(r.Findings, serverFindings(findings...)...)
	return nil
}

// enoughDays judges the time left by MinDays in place of the default.
func (in *inspector) enoughDays(f Finding, cert *x509.Certificate) Finding {
	if daysBetween(in.Now, cert.NotAfter) >= in.MinDays {
		return Finding{State: OK, What: f.What, Found: f.Found}
	}
	return Finding{Fail, f.What, f.Found, days(in.MinDays) + " left at least", renew}
}

func (in *inspector) key(r *Report, data []byte) error {
	key, notes, err := parseKey(data, quoted(r.File))
	if err != nil {
		return err
	}
	r.Kind, r.Fingerprint = KindKey, Fingerprint(key.Public())
	r.Findings = append(r.Findings, fileFinding(data, notes, Warn), keyFinding(key.Public(), in.ECDSA, "make one with: gobuild csr HOSTNAME --force"))
	if r.File != "-" || in.Stdin == nil {
		r.Findings = append(r.Findings, modeFinding(r.File))
	}
	return nil
}

// hostFor returns the host name that a file with fqdn is held against.
func (in *inspector) hostFor(fqdn string) string {
	if in.Host != "" {
		return in.Host
	}
	if host := hostOf(fqdn); host != "" {
		return host
	}
	return "HOSTNAME"
}

func (in *inspector) hostFinding(host string) Finding {
	h, err := CheckHost(host, in.NewPort)
	if err != nil {
		return Finding{State: Fail, What: "host name", Found: err.Error(), Hint: hint.Of(err)}
	}
	return Finding{State: OK, What: "host name", Found: fmt.Sprintf("%s, port %s, owner %s", host, h.Port, h.Handle)}
}

// fileFinding sums up the notes about a file's form.
func fileFinding(data []byte, notes []Note, state string) Finding {
	f := Finding{State: OK, What: "file", Found: "PEM"}
	if bytes.Contains(data, []byte("\r\n")) {
		f.Found = "PEM, with CRLF at the line ends, which is fine"
	}
	var texts, hints []string
	for _, note := range notes {
		texts, hints = append(texts, note.Text), append(hints, note.Hint)
	}
	if len(notes) > 0 {
		f.State, f.Found, f.Hint = state, strings.Join(texts, "; "), strings.Join(hints, "\n")
	}
	return f
}

// match adds to each report whether its key is that of the private key among
// them, or else of the first file that has one.
func match(reports []Report) {
	var first *Report
	for i := range reports {
		r := &reports[i]
		if r.Fingerprint != "" && (first == nil || first.Kind != KindKey && r.Kind == KindKey) {
			first = r
		}
	}
	for i := range reports {
		r := &reports[i]
		if r == first || r.Fingerprint == "" {
			continue
		}
		f := Finding{State: OK, What: "match", Found: "same key as in " + first.File}
		if r.Fingerprint != first.Fingerprint {
			f = Finding{Fail, "match", "another key than in " + first.File, "the same key",
				"a certificate works only with the key that its CSR was made with; luci_machine_tokend refuses the pair"}
		}
		r.Findings = append(r.Findings, f)
	}
}
