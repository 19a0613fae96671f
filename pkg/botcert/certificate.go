package botcert

import (
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"strings"
	"time"
)

// soon is how many days before its end a certificate is worth a warning:
// requests take weeks.
const soon = 60

const day = 24 * time.Hour

// validFinding is the What of the finding about a certificate's time.
const validFinding = "valid"

// renew is the hint for a certificate at its end.
const renew = "renew it: gobuild csr HOSTNAME --reuse-key, and send the CSR to the farm's team"

// The token server's answers (LUCI protocol, sections 3 and 4).
const (
	unsupported   = "UNSUPPORTED_SIGNATURE (1), or BAD_SIGNATURE (5) to a request that calls its signature RSA"
	untrusted     = "UNTRUSTED_CERTIFICATE (6): invalid or untrusted certificate"
	badArguments  = "BAD_TOKEN_ARGUMENTS (7): "
	serverAnswers = "the token server would answer "
)

// CheckCertificate judges cert as LUCI's token server does when the bot host
// asks for a token at now, step by step (LUCI protocol, section 4); the hints
// of failures hold its answer. Whether the server knows the CA and has not
// revoked the certificate only the CA can tell: see Inspection.CA.
func CheckCertificate(cert *x509.Certificate, host string, now time.Time) []Finding {
	return serverFindings(certKeyFinding(cert, false), validityFinding(cert, now), issuerFinding(cert), nameFinding(cert, host), serialFinding(cert))
}

// serverFindings returns findings, which are in the server's order, with the
// hints saying that the server answers for the first failure only.
func serverFindings(findings ...Finding) []Finding {
	answered := false
	for i := range findings {
		f := &findings[i]
		if f.State != Fail || !strings.HasPrefix(f.Hint, serverAnswers) {
			continue
		}
		if answered {
			f.Hint = "with all above mended, " + f.Hint
		}
		answered = true
	}
	return findings
}

func certKeyFinding(cert *x509.Certificate, private bool) Finding {
	f := keyFinding(cert.PublicKey, private, serverAnswers+unsupported+"; luci_machine_tokend takes RSA keys only")
	if pub, ok := cert.PublicKey.(*rsa.PublicKey); ok && f.State == Fail {
		// The server does not mind, but nobody should have signed it.
		f.State, f.Hint = Warn, fmt.Sprintf("%d bits can be broken; make a new key: gobuild csr HOSTNAME --force", pub.N.BitLen())
	}
	return f
}

func validityFinding(cert *x509.Certificate, now time.Time) Finding {
	f := Finding{What: validFinding, Found: validity(cert, now)}
	switch {
	case now.Before(cert.NotBefore):
		f.State, f.Wanted = Fail, "a certificate that is valid now"
		f.Hint = serverAnswers + untrusted + "; is the clock of this machine right?"
	case now.After(cert.NotAfter):
		f.State, f.Wanted = Fail, "a certificate that is valid now"
		f.Hint = serverAnswers + untrusted + "; " + renew
	case daysBetween(now, cert.NotAfter) < soon:
		f.State, f.Wanted, f.Hint = Warn, days(soon)+" left", renew
	default:
		f.State = OK
	}
	return f
}

// validity says from when or until when cert is valid, in days from now.
func validity(cert *x509.Certificate, now time.Time) string {
	switch {
	case now.Before(cert.NotBefore):
		return fmt.Sprintf("not before %s", cert.NotBefore.UTC().Format(time.RFC3339))
	case now.After(cert.NotAfter):
		return fmt.Sprintf("expired on %s, %s ago", date(cert.NotAfter), days(daysBetween(cert.NotAfter, now)))
	}
	return fmt.Sprintf("until %s, %s left", date(cert.NotAfter), days(daysBetween(now, cert.NotAfter)))
}

func date(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// daysBetween returns the whole days from one time to a later one, which may
// be thousands of years apart: more than a time.Duration holds.
func daysBetween(from, to time.Time) int {
	return int((to.Unix() - from.Unix()) / int64(day/time.Second))
}

func days(n int) string {
	if n == 1 {
		return "1 day"
	}
	return fmt.Sprintf("%d days", n)
}

func issuerFinding(cert *x509.Certificate) Finding {
	f := Finding{State: OK, What: "issuer", Found: cert.Issuer.CommonName, Wanted: "a certificate signed by the farm's CA"}
	switch {
	case cert.IsCA:
		f.Hint = "this is a CA's certificate; the machine's own is the one that was sent for its CSR"
	case string(cert.RawIssuer) == string(cert.RawSubject):
		f.Hint = "it is signed by itself; send the CSR to the farm's team instead"
	case cert.Issuer.CommonName == "":
		f.Found, f.Hint = "no CN", "the server finds the CA by its CN"
	case isWeak(cert.SignatureAlgorithm):
		f.Found += ", with " + cert.SignatureAlgorithm.String()
		f.Wanted = "a signature with SHA-256 or better"
		f.Hint = "such a signature can be forged; ask the farm's team for a new certificate"
	default:
		f.Wanted = ""
		return f
	}
	f.State, f.Hint = Fail, serverAnswers+untrusted+"; "+f.Hint
	return f
}

// isWeak reports whether crypto/x509, by which the server checks, refuses all
// signatures of a kind.
func isWeak(alg x509.SignatureAlgorithm) bool {
	switch alg {
	case x509.UnknownSignatureAlgorithm, x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.ECDSAWithSHA1, x509.DSAWithSHA1, x509.DSAWithSHA256:
		return true
	}
	return false
}

// nameFinding applies the server's FQDN rule, and then what the Swarming
// server wants of the name (LUCI protocol, sections 4 and 10.2).
func nameFinding(cert *x509.Certificate, host string) Finding {
	f := Finding{State: Fail, What: "name", Found: cert.Subject.CommonName, Wanted: FQDN(host)}
	fqdn := tokenName(cert)
	domain := ""
	if _, after, ok := strings.Cut(fqdn, "."); ok {
		domain = after
	}
	switch {
	case cert.Subject.CommonName == "":
		f.Found, f.Hint = "no CN", serverAnswers+badArguments+"unsupported cert, Subject CN field is required"
	case domain == "":
		f.Hint = serverAnswers + badArguments + fmt.Sprintf("not a valid FQDN %q", fqdn)
	case domain != Domain && !strings.HasSuffix(domain, "."+Domain):
		f.Hint = serverAnswers + badArguments + fmt.Sprintf("the domain %q is not listed in the config", domain)
	case fqdn != FQDN(host):
		f.Found = fqdn
		f.Hint = fmt.Sprintf(`the Swarming server would answer 403: the caller "bot:%s" doesn't have server-level permission; the certificate and the bot need the same host name`, fqdn)
	case strings.Contains(host, "--"):
		f.Found, f.Wanted = fqdn, "a name without --"
		f.Hint = "the Swarming server takes what follows -- for a bot's number, so no bot can use this certificate; make a CSR without it"
	default:
		return Finding{State: OK, What: "name", Found: fqdn}
	}
	return f
}

// tokenName returns the machine_fqdn of the tokens that cert gets.
func tokenName(cert *x509.Certificate) string {
	base := strings.ToLower(cert.Subject.CommonName)
	for _, name := range cert.DNSNames {
		if name = strings.ToLower(name); base != "" && strings.HasPrefix(name, base+".") {
			return name
		}
	}
	return base
}

func serialFinding(cert *x509.Certificate) Finding {
	serial := fmt.Sprintf("%x", cert.SerialNumber)
	if cert.SerialNumber.Sign() <= 0 {
		return Finding{Fail, "serial", serial, "a number above 0", serverAnswers + badArguments + fmt.Sprintf("invalid certificate serial number: %s", cert.SerialNumber)}
	}
	return Finding{State: OK, What: "serial", Found: serial}
}

// issuedBy judges whether a token server that has ca trusts cert: the issuer's
// CN is that of ca, and ca signed it directly (LUCI protocol, section 4).
func issuedBy(ca, cert *x509.Certificate) Finding {
	by := "signed by " + ca.Subject.CommonName
	bad := func(found string) Finding {
		return Finding{Fail, "CA", found, by, serverAnswers + untrusted}
	}
	switch {
	case !ca.IsCA:
		return bad(ca.Subject.CommonName + " is no CA")
	case cert.Issuer.CommonName != ca.Subject.CommonName:
		return bad("signed by " + cert.Issuer.CommonName)
	}
	if err := cert.CheckSignatureFrom(ca); isWeak(cert.SignatureAlgorithm) {
		return bad("signed with " + cert.SignatureAlgorithm.String() + ", which is refused whosever it is")
	} else if err != nil {
		return bad("the signature is not of this CA's key, though the name is: " + strings.TrimPrefix(err.Error(), "x509: "))
	}
	return Finding{State: OK, What: "CA", Found: by}
}

// notRevoked judges whether cert is missing from crl, which has to be ca's.
func notRevoked(crl *x509.RevocationList, ca, cert *x509.Certificate) Finding {
	if err := crl.CheckSignatureFrom(ca); err != nil {
		return Finding{Fail, "revocation", "the list is not of this CA: " + strings.TrimPrefix(err.Error(), "x509: "),
			"a revocation list of " + ca.Subject.CommonName, ""}
	}
	for _, entry := range crl.RevokedCertificateEntries {
		if entry.SerialNumber.Cmp(cert.SerialNumber) == 0 {
			return Finding{Fail, "revocation", "revoked on " + date(entry.RevocationTime), "a certificate that is not revoked",
				serverAnswers + untrusted + "; ask the farm's team for a new one"}
		}
	}
	return Finding{State: OK, What: "revocation", Found: "not in the CA's list of " + date(crl.ThisUpdate)}
}
