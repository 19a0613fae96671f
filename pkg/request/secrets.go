package request

import (
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"fmt"
	"strings"

	"gobuild/pkg/hint"
	"gobuild/pkg/lazyre"
)

// secretKinds are what must never be in a request, by the looks of it.
var secretKinds = []struct {
	what string
	re   *lazyre.Regexp
}{
	{"a private key", lazyre.New(`PRIVATE KEY|AGE-SECRET-KEY-1`)},
	{"a GitHub token", lazyre.New(`\bgh[a-z]_[A-Za-z0-9_]{20,}|\bgithub_pat_[A-Za-z0-9_]{20,}`)},
	{"a builder key", lazyre.New(`(?i)\b[0-9a-f]{32}\b`)},                // build protocol, section 1
	{"a machine token", lazyre.New(`luci_machine_token"\s*:\s*"[^"]+"`)}, // LUCI protocol, section 7.1
	{"a password in an address", lazyre.New(`(?i)[a-z]://[^\s/@:]*:[^\s/@]+@`)},
	{"a token", lazyre.New(`(?i)authorization:\s*\S+|\bbearer\s+[A-Za-z0-9._~+/-]{16,}`)},
}

// base64RE finds what may be the inside of a PEM block, on one line or many.
var base64RE = lazyre.New(`[A-Za-z0-9+/]{40,}(?:[ \t]*\n[ \t]*[A-Za-z0-9+/]{4,})*={0,2}`)

// findSecret returns what kind of secret text holds, and in which line,
// counted from 1; what is "" if it holds none that is known by its looks.
func findSecret(text string) (what string, line int) {
	at := func(offset int) int { return strings.Count(text[:offset], "\n") + 1 }
	for _, kind := range secretKinds {
		if match := kind.re.FindStringIndex(text); match != nil {
			return kind.what, at(match[0])
		}
	}
	for _, match := range base64RE.FindAllStringIndex(text, -1) {
		if isKey(text[match[0]:match[1]]) {
			return "a private key", at(match[0])
		}
	}
	return "", 0
}

// isKey reports whether base64 text, a word that follows it included, is a
// private key without its PEM lines.
func isKey(text string) bool {
	text = strings.TrimRight(strings.Join(strings.Fields(text), ""), "=")
	if len(text)%4 == 1 {
		text = text[:len(text)-1]
	}
	data, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		return false
	}
	var sequence asn1.RawValue
	if _, err := asn1.Unmarshal(data, &sequence); err != nil {
		return false
	}
	der := sequence.FullBytes
	if _, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return true
	}
	if _, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		return true
	}
	_, err = x509.ParseECPrivateKey(der)
	return err == nil
}

// checkSecrets refuses a draft that carries a secret. The body is the last
// line of defence; the parts come first because they can be named.
func (d *Draft) checkSecrets() error {
	for _, part := range []struct{ name, text, advice string }{
		{"the contact", d.parts.Contact, "give an address"},
		{"the notes", d.parts.Notes, "take it out of --notes"},
		{"the readiness report", d.parts.Report, "take it out of a copy and give that with --report FILE, or leave the report out with --no-report"},
		{"the request", d.Body, "look at what it is made of"},
	} {
		if what, line := findSecret(part.text); what != "" {
			return hint.With(fmt.Errorf("line %d of %s looks like %s: nothing was sent", line, part.name, what),
				"%s; if it was sent to anybody before, make a new one", part.advice)
		}
	}
	return nil
}
