// Package request files and follows the request that a builder machine be
// taken in: an issue in a GitHub repository (LUCI protocol, section 11: title
// "x/build: add <os-arch> builder", label new-builder), or an entry in a
// coordinator's queue.
//
// A Draft is checked before it is shown or sent: the port, the host name, the
// certificate signing request (CSR), and that nothing in it is a secret. The
// owner's free text is quoted so that it cannot become Markdown. GitHub files
// a Draft at most once, also where an answer is lost, and says whose turn it
// is. The coordinator's side of its queue is left to others.
package request

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"

	"gobuild/pkg/botcert"
	"gobuild/pkg/hint"
	"gobuild/pkg/lazyre"
	"gobuild/pkg/ports"
)

// Label is the label of every request on GitHub.
const Label = "new-builder"

// Limits of what a request carries. GitHub takes 65,536 characters in a body,
// a coordinator 32 KiB of report.
const (
	maxContact = 200      // bytes
	maxNotes   = 8 << 10  // bytes
	maxReport  = 22 << 10 // bytes
)

// Options are what a request is made of.
type Options struct {
	Port     string // GOOS-GOARCH
	NewPort  bool   // the port may be one that Go does not have yet
	Hostname string // GOOS-GOARCH-HANDLE
	// CSRFile is the PEM file with the CSR. Empty means HOSTNAME.csr in the
	// current directory or beside KeyFile, if one is there.
	CSRFile string
	KeyFile string // the CSR's private key; only its directory is looked at
	Private bool   // a private farm signs: an ECDSA key will do
	Contact string // how to reach the owner; one line
	Notes   string // the owner's free text
	Repo    string // OWNER/NAME where it is to be filed; Go's own have a bot that sets labels
}

// Draft is a request that can be sent.
type Draft struct {
	Title    string   `json:"title"`
	Labels   []string `json:"labels"`
	Body     string   `json:"body"` // Markdown
	Port     string   `json:"port"`
	Hostname string   `json:"hostname"`
	CSRFile  string   `json:"csrFile,omitempty"` // empty: the request goes without
	// CSRNotes are what the signer may stumble over in the CSR.
	CSRNotes []botcert.Note `json:"-"`

	parts parts
	csr   *x509.CertificateRequest // nil: none
}

// New checks what a request is made of and words it. The error says which
// part cannot be sent, and never shows a secret that it found.
func New(opts Options) (*Draft, error) { return draft(opts, rand.Text()) }

// draft is New with the random ID by which the issue is known again.
func draft(opts Options, id string) (*Draft, error) {
	port, err := checkPort(opts.Port, opts.NewPort)
	if err != nil {
		return nil, err
	}
	host, err := botcert.CheckHost(opts.Hostname, opts.NewPort)
	if err != nil {
		return nil, err
	}
	if host.Port.String() != port {
		return nil, hint.With(fmt.Errorf("host name %s is for the port %s, and a builder for %s is asked for", host.Name, host.Port, port),
			"the name begins with the port: %s-%s", port, host.Handle)
	}
	if err := checkText(opts.Contact, opts.Notes); err != nil {
		return nil, err
	}
	d := &Draft{
		Title:    "x/build: add " + port + " builder",
		Labels:   []string{Label},
		Port:     port,
		Hostname: host.Name,
		parts: parts{
			ID: id, Port: port, Hostname: host.Name, FQDN: botcert.FQDN(host.Name), Label: Label,
			Contact: plain(strings.TrimSpace(opts.Contact)),
			Notes:   plain(opts.Notes),
			Bot:     hasLabelBot(opts.Repo),
		},
	}
	if err := d.addCSR(opts); err != nil {
		return nil, err
	}
	if err := d.word(); err != nil {
		return nil, err
	}
	return d, nil
}

// word makes d's body of its parts.
func (d *Draft) word() (err error) {
	if d.Body, err = d.parts.body(); err != nil {
		return err
	}
	return d.checkSecrets()
}

// LabelBot reports whether a bot sets the label where the draft is filed, so
// that it does not matter if GitHub drops it.
func (d *Draft) LabelBot() bool { return d.parts.Bot }

// hasLabelBot reports whether a bot of repo sets the labels that people who
// may not do it themselves ask for: Go's gopherbot does so in Go's own.
func hasLabelBot(repo string) bool { return strings.HasPrefix(strings.ToLower(repo), "golang/") }

// newPortRE is what a port that Go does not have yet may look like.
var newPortRE = lazyre.New(`^[a-z0-9]+-[a-z0-9]+$`)

// checkPort returns the port as GOOS-GOARCH.
func checkPort(text string, newPort bool) (string, error) {
	port, err := ports.Parse(text)
	switch {
	case err == nil:
		return port.String(), nil
	case !newPort && newPortRE.MatchString(text):
		return "", hint.With(err, "%s; a port that Go does not have yet needs --new-port", hint.Of(err))
	case newPort && newPortRE.MatchString(text):
		return text, nil
	}
	return "", err
}

// checkText refuses free text that cannot be meant.
func checkText(contact, notes string) error {
	switch {
	case strings.ContainsFunc(contact, unicode.IsControl):
		return hint.With(errors.New("the contact is more than one line"), "give an address, or a name; --notes takes more")
	case len(contact) > maxContact:
		return fmt.Errorf("the contact is %d bytes long: %d are the most", len(contact), maxContact)
	case len(notes) > maxNotes:
		return fmt.Errorf("the notes are %d bytes long: %d are the most", len(notes), maxNotes)
	}
	for _, text := range []string{contact, notes} {
		if !utf8.ValidString(text) {
			return errors.New("contact and notes have to be UTF-8")
		}
	}
	return nil
}

// addCSR reads and checks the CSR, if there is one.
func (d *Draft) addCSR(opts Options) error {
	file := opts.CSRFile
	if file == "" {
		if file = findCSR(d.Hostname, opts.KeyFile); file == "" {
			return nil
		}
	}
	csr, notes, err := botcert.ReadCSR(file)
	if err != nil {
		advice := hint.Of(err)
		if errors.Is(err, fs.ErrNotExist) {
			advice = "make one with gobuild csr " + d.Hostname
		}
		return hint.With(fmt.Errorf("%w; nothing was sent", err), "%s", advice)
	}
	if err := botcert.CheckCSR(csr, d.Hostname, opts.Private); err != nil {
		return hint.With(fmt.Errorf("%s: %w", file, err), "%s", hint.Of(err))
	}
	d.CSRFile, d.CSRNotes, d.csr = file, notes, csr
	// Not the file's text, but what was checked.
	d.parts.CSR = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: csr.Raw}))
	d.parts.Fingerprint = botcert.Fingerprint(csr.PublicKey)
	return nil
}

// findCSR returns the CSR of host that lies here or beside its key, or "".
func findCSR(host, keyFile string) string {
	name := host + ".csr"
	if regular(name) {
		return name
	}
	if beside := filepath.Join(filepath.Dir(keyFile), name); keyFile != "" && regular(beside) {
		return beside
	}
	return ""
}

// regular reports whether file is there to be read. What cannot be looked at
// is taken to be there, so that reading it says why.
func regular(file string) bool {
	info, err := os.Stat(file)
	return err == nil && info.Mode().IsRegular() || err != nil && !errors.Is(err, fs.ErrNotExist)
}
