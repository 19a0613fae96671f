package machinetoken

import (
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"

	"gobuild/pkg/botcert"
	"gobuild/pkg/hint"
	"gobuild/pkg/machinetoken/tokenpb"
)

// mintMeanings says in plain words what a token server's codes mean (LUCI
// protocol, section 4).
var mintMeanings = map[tokenpb.ErrorCode]string{
	tokenpb.ErrorCode_UNSUPPORTED_SIGNATURE:       "it takes no signatures of this kind",
	tokenpb.ErrorCode_UNSUPPORTED_TOKEN_TYPE:      "it makes no LUCI machine tokens",
	tokenpb.ErrorCode_BAD_TIMESTAMP:               "by its clock, this machine's is more than 10 minutes off",
	tokenpb.ErrorCode_BAD_CERTIFICATE_FORMAT:      "it cannot read this machine's certificate",
	tokenpb.ErrorCode_BAD_SIGNATURE:               "the request's signature does not fit the certificate",
	tokenpb.ErrorCode_UNTRUSTED_CERTIFICATE:       "the certificate may be expired, revoked, or of a CA that it does not know: it says the same of all",
	tokenpb.ErrorCode_BAD_TOKEN_ARGUMENTS:         "it makes no tokens for the name in the certificate",
	tokenpb.ErrorCode_MACHINE_TOKEN_MINTING_ERROR: "it accepts the request, but cannot make a token now",
}

// explain attaches to an error of a run what to do about it. cert may be nil;
// clock is what the answers told about this machine's clock.
func explain(err error, cert *x509.Certificate, clock Skew, now time.Time) error {
	advice := ""
	if mint, ok := errors.AsType[*MintError](err); ok {
		advice = mintAdvice(mint.Code, cert, clock, now)
	} else if call, ok := errors.AsType[*CallError](err); ok {
		advice = callAdvice(call, now)
	} else if _, ok := errors.AsType[*answerError](err); ok {
		advice = "it is of another version, or no token server; is --backend right?"
	}
	if advice == "" {
		return err
	}
	return hint.With(err, "%s", advice)
}

func mintAdvice(code tokenpb.ErrorCode, cert *x509.Certificate, clock Skew, now time.Time) string {
	switch code {
	case tokenpb.ErrorCode_UNSUPPORTED_SIGNATURE, tokenpb.ErrorCode_UNSUPPORTED_TOKEN_TYPE:
		return "LUCI's token server takes what gobuild sends; is --backend right?"
	case tokenpb.ErrorCode_BAD_TIMESTAMP:
		return clockAdvice(clock, now)
	case tokenpb.ErrorCode_BAD_CERTIFICATE_FORMAT:
		return "look at the file with: gobuild csr check CERTIFICATE"
	case tokenpb.ErrorCode_BAD_SIGNATURE:
		return "key and certificate fit each other here, so something on the way changes the request; a proxy that opens TLS?"
	case tokenpb.ErrorCode_UNTRUSTED_CERTIFICATE:
		return certificateAdvice(cert, now, "so it is revoked, or of a CA that this server does not know, or the server does not have the CA's list yet")
	case tokenpb.ErrorCode_BAD_TOKEN_ARGUMENTS:
		return certificateAdvice(cert, now, "so this server does not know its domain")
	case tokenpb.ErrorCode_MACHINE_TOKEN_MINTING_ERROR:
		return "nothing is wrong here; the next run tries again. If it lasts, tell the farm's team"
	}
	return "this gobuild does not know the code; the server's text is all there is"
}

// certificateAdvice says what can be seen here of what the server does not
// tell: name, issuer, time, serial number. Otherwise is what it comes to if
// nothing is wrong with them.
func certificateAdvice(cert *x509.Certificate, now time.Time, otherwise string) string {
	if cert == nil {
		return ""
	}
	host, _, _ := strings.Cut(strings.ToLower(cert.Subject.CommonName), ".")
	var seen, bad []string
	for _, f := range botcert.CheckCertificate(cert, host, now) {
		if f.State != botcert.Fail {
			seen = append(seen, f.What+" "+f.Found)
			continue
		}
		text := "seen here: " + f.What + " " + f.Found
		if f.Hint != "" {
			text += "; " + f.Hint
		}
		bad = append(bad, text)
	}
	if len(bad) > 0 {
		return strings.Join(bad, "\n")
	}
	return fmt.Sprintf("nothing is wrong with the certificate as far as this machine can see (%s), %s: is --backend right? If so, ask the farm's team",
		strings.Join(seen, ", "), otherwise)
}

// clockAdvice names this machine's time, and how far it is off if that is
// known.
func clockAdvice(clock Skew, now time.Time) string {
	const set = "set the clock and keep it with NTP; the server allows 10 minutes"
	local := "here it is " + now.UTC().Format(time.RFC3339)
	if clock.Known {
		return fmt.Sprintf("%s, %s; %s", local, clock, set)
	}
	return fmt.Sprintf("%s (compare with the time elsewhere); %s", local, set)
}

func callAdvice(e *CallError, now time.Time) string {
	const look = "gobuild doctor --for luci shows who answers"
	if had := hint.Of(e.err); had != "" {
		// It was written for the coordinator, which is called more often.
		had = strings.Replace(had, "is the coordinator running", "is the token server running", 1)
		had, _, _ = strings.Cut(had, ", for a coordinator --dev")
		return had
	}
	switch e.Code {
	case codeCanceled:
		return ""
	case codeInvalidArgument:
		return "the server speaks pRPC and does not understand the request: is --backend a token server? A damaged clock does the same; " + clockAdvice(e.Skew, now)
	case codeUnauthenticated:
		return "a token server wants no login, so this comes from a proxy or from another server: is --backend right, and does HTTPS_PROXY carry the proxy's user and password? " + look
	case codePermissionDenied:
		if e.NoCode {
			return "something before the token server refuses: a proxy, a firewall, or --backend is another server; " + look
		}
		return "the token server refuses this caller; ask the farm's team, with the text above"
	case codeResourceExhausted:
		return "the server has had too many requests; wait. One run every 10 minutes is enough"
	case codeUnimplemented, codeNotFound, codeFailedPrecondition:
		return "the server speaks pRPC, but mints no machine tokens: is --backend right, without https:// and without a path?"
	}
	switch {
	case e.final && e.err != nil:
		return "is --backend right? " + look
	case e.HTTPStatus >= 500:
		return "the server, or a proxy before it, is in trouble; the next run tries again. The old token is as good as before"
	case e.NoCode:
		return "what answers is no token server: a proxy's sign-in page, a firewall, or a wrong --backend; " + look
	case e.Code == codeDeadlineExceeded:
		return "the server accepts connections and does not answer, or packets get lost on the way; " + look
	}
	return "the next run tries again; " + look
}
