// Package botcert makes and judges the paperwork of a LUCI bot: its host
// name, its private key, the certificate signing request (CSR) that the farm's
// team signs, and the certificate that comes back.
//
// What it makes is what upstream's genbotcert makes (LUCI protocol, section
// 11). What it reads it names: a file that is not what it should be is told
// apart from one that is broken, and the error's hint says how to mend it. It
// also keeps a local CA for farms that sign for themselves. Asking the token
// server for tokens is left to others.
package botcert

import (
	"errors"
	"fmt"
	"strings"

	"gobuild/pkg/hint"
	"gobuild/pkg/lazyre"
	"gobuild/pkg/ports"
)

// Domain is the domain of every bot's certificate.
const Domain = "bots.golang.org"

// maxHost is the longest host name, in bytes: with Domain it fills the 64
// that X.520 allows a common name (LUCI protocol, section 11).
const maxHost = 64 - len("."+Domain)

// Host is a bot's host name, taken apart: GOOS-GOARCH-HANDLE.
type Host struct {
	Name   string
	Port   ports.Port
	Handle string // of the owner's GitHub account
}

// FQDN returns the name that a certificate for host carries.
func FQDN(host string) string { return host + "." + Domain }

// CheckHost takes host apart if it is a name that works for a certificate, a
// token and a bot alike. Otherwise the error says what is wrong with it, and
// its hint the right form. With newPort, GOOS and GOARCH may be ones that Go
// does not have yet.
func CheckHost(host string, newPort bool) (Host, error) {
	h, err := parseHost(host, newPort)
	if err == nil {
		return h, nil
	}
	if right := mendHost(host); right != host {
		if _, mendErr := parseHost(right, newPort); mendErr == nil {
			return Host{}, hint.With(err, "write %s", right) // more useful than rules
		}
	}
	return Host{}, err
}

var (
	hostRE   = lazyre.New(`^[a-z0-9-]*$`)
	numberRE = lazyre.New(`--[0-9]*$`)
	wordRE   = lazyre.New(`^[a-z0-9]+$`)
	// A GitHub handle in lower case, which is the same account.
	handleRE = lazyre.New(`^[a-z0-9]+(-[a-z0-9]+)*$`)
)

// maxHandle is the longest handle that GitHub gives, in bytes.
const maxHandle = 39

// form is the hint for a name that cannot be put right without its owner.
const form = "a host name is GOOS-GOARCH-HANDLE in small letters, with the handle of your GitHub account, such as linux-riscv64-gopher"

func parseHost(host string, newPort bool) (Host, error) {
	bad := func(format string, args ...any) error {
		return hint.With(fmt.Errorf("host name %.80q %s", host, fmt.Sprintf(format, args...)), form)
	}
	switch {
	case host == "":
		return Host{}, hint.With(errors.New("the host name is empty"), form)
	case strings.Contains(host, "."):
		return Host{}, bad("has a dot: the domain %s is added by itself", Domain)
	case strings.ToLower(host) != host:
		return Host{}, bad("has capitals: the token server lowers them, and then the bot's name is another")
	case strings.Contains(host, "_"):
		return Host{}, bad("has an underscore, which no DNS name may have")
	case numberRE.MatchString(host):
		return Host{}, bad("ends in a number for one of several bots, which is no part of the certificate's name: bots HOST--01, HOST--02 share that of HOST")
	case !hostRE.MatchString(host):
		return Host{}, bad("has characters other than letters, digits and dashes")
	case len(host) > maxHost:
		return Host{}, bad("has %d characters; %d are the most that a certificate holds", len(host), maxHost)
	}
	goos, rest, _ := strings.Cut(host, "-")
	goarch, handle, _ := strings.Cut(rest, "-")
	port := ports.Port{GOOS: goos, GOARCH: goarch}
	if err := checkPort(host, port, handle, newPort); err != nil {
		return Host{}, err
	}
	switch {
	case handle == "":
		return Host{}, hint.With(bad("lacks the handle"), "add the handle of your GitHub account: %s-HANDLE", port)
	case strings.Contains(handle, "--"):
		return Host{}, bad("has two dashes together, which is where a bot's number would begin")
	case len(handle) > maxHandle || !handleRE.MatchString(handle):
		return Host{}, bad("ends in %q, which cannot be a GitHub handle", handle)
	}
	return Host{host, port, handle}, nil
}

// checkPort judges the first two words of host.
func checkPort(host string, port ports.Port, handle string, newPort bool) error {
	turned := ports.Port{GOOS: port.GOARCH, GOARCH: port.GOOS}
	// With a new port one of the two words has to do.
	isTurned := turned.Known() || newPort && !port.Known() &&
		(ports.KnownOS(port.GOARCH) && !ports.KnownOS(port.GOOS) || ports.KnownArch(port.GOOS) && !ports.KnownArch(port.GOARCH))
	switch {
	case port.Known():
		return nil
	case isTurned:
		return hint.With(fmt.Errorf("host name %.80q has the operating system behind the architecture", host), "write %s", joinHost(turned, handle))
	case newPort && wordRE.MatchString(port.GOOS) && wordRE.MatchString(port.GOARCH):
		return nil
	case newPort || port.GOARCH == "":
		return hint.With(fmt.Errorf("host name %.80q does not begin with a port", host), form)
	}
	return hint.With(fmt.Errorf("host name %.80q: Go has no port %s", host, port), "%sa port that Go is yet to get needs --new-port", nearestHost(port, handle))
}

// nearestHost suggests the host name that has a slip of the finger in its
// port.
func nearestHost(port ports.Port, handle string) string {
	var oses, arches []string
	for _, p := range ports.All() {
		oses, arches = append(oses, p.GOOS), append(arches, p.GOARCH)
	}
	near := ports.Port{GOOS: hint.Nearest(port.GOOS, oses), GOARCH: hint.Nearest(port.GOARCH, arches)}
	if !near.Known() {
		return ""
	}
	return "did you mean " + joinHost(near, handle) + "? "
}

// joinHost is the host name of a port and a handle, which may be missing.
func joinHost(port ports.Port, handle string) string {
	if handle == "" {
		handle = "HANDLE"
	}
	return port.String() + "-" + handle
}

// mendHost returns host without the slips that it is plain what was meant by.
func mendHost(host string) string {
	host = strings.ToLower(strings.TrimSpace(host))
	host, _, _ = strings.Cut(host, ".")
	host = strings.NewReplacer("_", "-", "/", "-", " ", "-").Replace(host)
	host = numberRE.ReplaceAllString(host, "")
	words := strings.SplitN(host, "-", 3)
	if len(words) == 3 && (ports.Port{GOOS: words[1], GOARCH: words[0]}).Known() {
		words[0], words[1] = words[1], words[0]
	}
	return strings.Join(words, "-")
}

// hostOf returns the host name in fqdn, or "" if it is none of Domain's.
func hostOf(fqdn string) string {
	host, ok := strings.CutSuffix(strings.ToLower(fqdn), "."+Domain)
	if !ok || strings.Contains(host, ".") {
		return ""
	}
	return host
}
