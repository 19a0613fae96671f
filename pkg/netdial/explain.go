package netdial

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"gobuild/pkg/hint"
)

// Explain wraps err, which came of calling addr, so that its text says what
// was dialled and how long that took, and attaches the remedy for the causes
// that it knows: refused, no such name, timed out, certificate not trusted,
// certificate for another name, certificate out of date, no TLS there. A hint
// that err already carries is kept.
func Explain(err error, addr string, took time.Duration) error {
	if err == nil {
		return nil
	}
	advice := remedy(err, addr)
	waited := took.Round(time.Millisecond).String()
	if took < time.Millisecond {
		waited = "less than 1ms"
	}
	at := addr
	if oe, ok := err.(*net.OpError); ok && oe.Op == "dial" {
		// Its text says again what was dialled.
		if err = oe.Err; oe.Addr != nil && oe.Addr.String() != addr {
			at = fmt.Sprintf("%s (%s)", addr, oe.Addr)
		}
	}
	wrapped := fmt.Errorf("dial %s: %w (after %s)", at, err, waited)
	if had := hint.Of(err); had != "" {
		advice = had
	}
	if advice == "" {
		return wrapped
	}
	return hint.With(wrapped, "%s", advice)
}

// remedy returns what to do about err, or "".
func remedy(err error, addr string) string {
	var (
		unknownCA x509.UnknownAuthorityError
		wrongName x509.HostnameError
		invalid   x509.CertificateInvalidError
		record    tls.RecordHeaderError
		dns       *net.DNSError
	)
	switch {
	case errors.As(err, &unknownCA):
		advice := "the server's certificate is signed by a CA that this machine does not trust; for a private farm give its CA with --ca-file PEM"
		if loopback(addr) {
			advice += ", for a coordinator --dev give --dev here too"
		}
		return advice
	case errors.As(err, &wrongName):
		return fmt.Sprintf("the server's certificate is for another name; call it by a name that the certificate has (%v)", wrongName.Certificate.DNSNames)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "the server's certificate is out of date, or this machine's clock is wrong; compare with: date -u"
	case errors.As(err, &invalid):
		return "the server's certificate cannot be used for this; for a private farm give its CA with --ca-file PEM"
	case errors.As(err, &record):
		return fmt.Sprintf("what listens on %s does not speak TLS; is the port right?", addr)
	case errors.As(err, &dns) && dns.IsNotFound:
		return fmt.Sprintf("no such host name: is %q spelled right, and does this machine's DNS work?", dns.Name)
	case refused(err):
		return fmt.Sprintf("nothing listens on %s; is the coordinator running, and is the port right?", addr)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), isTimeout(err):
		return fmt.Sprintf("no answer from %s; a firewall may drop the packets (a proxy is taken from HTTPS_PROXY)", addr)
	}
	return ""
}

// loopback reports whether addr is on this machine, going by its text.
func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	return err == nil && Loopback(host)
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}
