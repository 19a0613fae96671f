package doctor

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"gobuild/pkg/botcert"
	"gobuild/pkg/hint"
)

// privateKey looks at the private key of the LUCI certificate: there, safe
// from the tasks that the bot runs, in a form that the token daemon takes.
func (e *exam) privateKey(context.Context) []Finding {
	if e.PKeyPEM == "" {
		return one(warn("gobuild csr HOSTNAME makes one; name it with pkey-pem in the configuration", "none is configured"))
	}
	info, err := os.Stat(e.PKeyPEM)
	if errors.Is(err, fs.ErrPermission) {
		return e.unreadable(e.PKeyPEM)
	}
	if err != nil {
		return one(fail("gobuild csr HOSTNAME makes one; mend pkey-pem in the configuration if it lies elsewhere", "%v", err))
	}
	key, notes, err := botcert.ReadKey(e.PKeyPEM)
	if errors.Is(err, fs.ErrPermission) {
		return e.unreadable(e.PKeyPEM)
	}
	if err != nil {
		return one(fail(remedyOf(err, "mend pkey-pem in the configuration"), "%v", err))
	}
	found := fmt.Sprintf("%s: %s, %s", e.PKeyPEM, keyKind(key.Public()), modeAndOwner(info))
	if open := exposure(info); open != "" {
		return one(fail("chmod 600 "+e.PKeyPEM+": what the bot runs must not be able to take the machine's identity", "%s: %s", e.PKeyPEM, open))
	}
	if bot := botAccount(); bot != nil && hiddenFrom(bot, os.Stat, e.PKeyPEM) == "" {
		return one(fail(fmt.Sprintf("chown root %s, or another user whom the token daemon runs as: what the bot runs must not be able to take the machine's identity", e.PKeyPEM),
			"%s; the bot's user, %s, can read it", found, botUser))
	}
	findings := noted(notes)
	if len(findings) == 0 {
		findings = one(ok("%s", found))
		if root, who := privileged(); !root {
			findings = one(warn("run the token daemon as another user than the bot, and let the key be that user's: what the bot runs must not be able to take the machine's identity",
				"%s; %s, who runs this, can read it", found, who))
		}
	}
	return findings
}

// unreadable is the finding of a key that this user cannot read, which is how
// it should be for the bot's.
func (e *exam) unreadable(file string) []Finding {
	_, who := privileged()
	return one(ok("%s: this user (%s) cannot read it, as it should be for the bot; run doctor as root to look inside", file, who))
}

// noted makes warnings of what a reader noted about a file.
func noted(notes []botcert.Note) []Finding {
	var findings []Finding
	for _, n := range notes {
		findings = append(findings, warn(n.Hint, "%s", n.Text))
	}
	return findings
}

// keyKind says what kind of key it is.
func keyKind(pub crypto.PublicKey) string {
	kind := strings.TrimPrefix(fmt.Sprintf("%T", pub), "*")
	kind, _, _ = strings.Cut(kind, ".")
	if sized, ok := pub.(interface{ Size() int }); ok { // of an RSA key, in bytes
		return fmt.Sprintf("%s, %d bits", strings.ToUpper(kind), sized.Size()*8)
	}
	return strings.ToUpper(kind)
}

// certificate judges the LUCI certificate as the token server does, and
// whether it goes with the private key.
func (e *exam) certificate(context.Context) []Finding {
	if e.CertPEM == "" {
		return one(warn("send the CSR with gobuild request; name the certificate that comes back with cert-pem in the configuration", "none is configured"))
	}
	cert, notes, err := botcert.ReadCertificate(e.CertPEM)
	if errors.Is(err, fs.ErrNotExist) {
		return one(e.notCome())
	}
	if errors.Is(err, fs.ErrPermission) {
		return one(fail(fmt.Sprintf("chmod 644 %s: a certificate is no secret, and the token daemon has to read it", e.CertPEM), "%v", err))
	}
	if err != nil {
		return one(fail(remedyOf(err, "mend cert-pem in the configuration"), "%v", err))
	}
	findings := noted(notes)
	var good []string
	for _, c := range botcert.CheckCertificate(cert, e.botHost(), e.Now()) {
		switch {
		case c.What == "name" && e.Hostname == "":
			findings = append(findings, warn("put the host name into the configuration: gobuild init", "it is for %s, and no host name is configured", c.Found))
		case c.State == botcert.OK && (c.What == "name" || c.What == "valid"):
			good = append(good, c.Found)
		case c.State != botcert.OK:
			findings = append(findings, Finding{State: State(c.State), Found: c.What + ": " + c.Found, Wanted: c.Wanted, Remedy: c.Hint})
		}
	}
	if key, _, err := botcert.ReadKey(e.PKeyPEM); e.PKeyPEM != "" && err == nil {
		if err := botcert.Match(cert.PublicKey, key); err != nil {
			findings = append(findings, fail(hint.Of(err), "%s does not belong to %s: %v", e.PKeyPEM, e.CertPEM, err))
		} else {
			good = append(good, "goes with the key")
		}
	}
	if len(findings) == 0 {
		return one(ok("%s", strings.Join(good, "; ")))
	}
	return findings
}

// notCome is the finding for a certificate that is not there: the time between
// the request and its answer is no failure of the machine.
func (e *exam) notCome() Finding {
	if _, err := os.Stat(e.PKeyPEM); e.PKeyPEM != "" && err == nil {
		return warn("the farm's team sends it in answer to the CSR; put it there", "%s is not there yet", e.CertPEM)
	}
	return fail("put the certificate that came in answer to the CSR there, or mend cert-pem in the configuration", "%s is not there", e.CertPEM)
}
