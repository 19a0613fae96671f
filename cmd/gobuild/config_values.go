package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"

	"gobuild/pkg/botcert"
	"gobuild/pkg/hint"
	"gobuild/pkg/lazyre"
	"gobuild/pkg/ports"
	"gobuild/pkg/release"
)

// valueKind is what the values of a setting are. By it "config validate" and
// "init" find out what the command that uses the setting would stumble over
// later.
type valueKind struct {
	check  func(value string) error  // says why a value cannot be
	remark func(value string) string // says what is odd about one that can; nil if nothing is
}

var (
	addrValue        = valueKind{check: checkAddr}
	boolValue        = valueKind{check: checkBool}
	coordinatorValue = valueKind{check: checkCoordinator}
	fileValue        = valueKind{checkFileName, remarkFile}
	hostnameValue    = valueKind{checkWord, remarkHostname}
	programValue     = valueKind{checkFileName, remarkProgram}
	portValue        = valueKind{checkPort, remarkPort}
	releaseKeyValue  = valueKind{checkReleaseKey, remarkReleaseKey}
	repoValue        = valueKind{check: checkRepo}
	serverValue      = valueKind{check: checkServer}
	updateValue      = valueKind{check: checkUpdate}
	urlValue         = valueKind{check: checkURL}
	wordValue        = valueKind{check: checkWord}
)

func checkBool(value string) error {
	if _, err := strconv.ParseBool(value); err != nil {
		return fmt.Errorf("%q is neither true nor false", value)
	}
	return nil
}

// checkWord wants a name that can stand in a URL and in a log line.
func checkWord(value string) error {
	if i := strings.IndexFunc(value, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }); i >= 0 {
		return fmt.Errorf("%q has white space or control characters in it", value)
	}
	if i := strings.IndexAny(value, `/<>?#%\"`); i >= 0 {
		return fmt.Errorf("%q has %q in it, which no name has", value, value[i])
	}
	return nil
}

// checkServer wants HOST or HOST:PORT.
func checkServer(value string) error {
	if _, after, ok := strings.Cut(value, "://"); ok {
		return hint.With(fmt.Errorf("%q is a URL", value), "write the host alone: %s", strings.TrimRight(after, "/"))
	}
	host := value
	if strings.Contains(value, ":") {
		var err error
		if host, _, err = net.SplitHostPort(value); err != nil {
			return fmt.Errorf("%q is neither HOST nor HOST:PORT", value)
		}
	}
	if host == "" {
		return errors.New("there is no host in it")
	}
	return checkWord(host)
}

// checkAddr wants HOST:PORT, where HOST may be empty.
func checkAddr(value string) error {
	if _, _, err := net.SplitHostPort(value); err != nil {
		return fmt.Errorf("%q is no address HOST:PORT", value)
	}
	return nil
}

func checkURL(value string) error {
	u, err := url.Parse(value)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil {
		return hint.With(errors.New("that is no URL that can be called"), "as https://api.github.com/, without a name or password in it")
	}
	return nil
}

// updateAuto is the update-url that stands for the coordinator's own.
const updateAuto = "auto"

func checkUpdate(value string) error {
	if value == updateAuto || checkURL(value) == nil {
		return nil
	}
	return hint.With(errors.New("that is no URL that can be called"), "as https://farm.example/dl/buildlet.linux-riscv64, or %s for the coordinator's", updateAuto)
}

// isReleaseKey reports whether a value is a public key, and not a file's name.
func isReleaseKey(value string) bool {
	_, err := release.ParsePublicKey(value)
	return err == nil
}

func checkReleaseKey(value string) error {
	if isReleaseKey(value) {
		return nil
	}
	return checkFileName(value)
}

func remarkReleaseKey(value string) string {
	if isReleaseKey(value) {
		return ""
	}
	if text := remarkFile(value); text != "" {
		return text
	}
	_, err := release.PublicKeyOf(value)
	return withAdvice(err)
}

// checkCoordinator wants what --coordinator takes.
func checkCoordinator(value string) error {
	a := app{coordinator: value}
	_, err := a.coordinatorAddr()
	if err == nil {
		return nil
	}
	// Who calls this says itself where the value stands.
	return hint.With(errors.New(strings.TrimPrefix(err.Error(), "--coordinator ")), "%s", hint.Of(err))
}

var portShape = lazyre.New(`^[a-z][a-z0-9]*-[a-z0-9]+$`)

// checkPort wants GOOS-GOARCH. An owner may bring a port that Go does not
// have yet, which remarkPort remarks on.
func checkPort(value string) error {
	_, err := ports.Parse(value)
	goarch, goos, _ := strings.Cut(value, "-")
	if err != nil && portShape.MatchString(value) && !(ports.Port{GOOS: goos, GOARCH: goarch}).Known() {
		return nil
	}
	return err
}

var repoShape = lazyre.New(`^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$`)

func checkRepo(value string) error {
	if !repoShape.MatchString(value) {
		return hint.With(fmt.Errorf("%q is no GitHub repository", value), "as OWNER/NAME, such as golang/go")
	}
	return nil
}

// checkFileName wants a name that means the same wherever gobuild is started.
func checkFileName(value string) error {
	switch {
	case strings.HasPrefix(value, "~"), strings.HasPrefix(value, "$"):
		return hint.With(fmt.Errorf("%q: ~ and variables mean nothing in the configuration", value), "write the file's name in full")
	case strings.ContainsFunc(value, unicode.IsControl):
		return fmt.Errorf("%q has control characters in it", value)
	}
	return nil
}

func remarkFile(value string) string {
	if !filepath.IsAbs(value) {
		return fmt.Sprintf("%s is looked for in the directory in which gobuild is started; write its name in full", value)
	}
	if _, err := os.Stat(value); errors.Is(err, fs.ErrNotExist) {
		return value + " is not there yet"
	}
	return ""
}

// remarkProgram lets a bare name be: it is looked for in PATH.
func remarkProgram(value string) string {
	if filepath.Base(value) == value {
		return ""
	}
	return remarkFile(value)
}

func remarkPort(value string) string {
	_, err := ports.Parse(value)
	return withAdvice(err)
}

func remarkHostname(value string) string {
	if _, err := botcert.CheckHost(value, true); err != nil {
		return "a coordinator takes the name, LUCI does not: " + withAdvice(err)
	}
	return ""
}

// withAdvice returns an error's text with its hint behind it.
func withAdvice(err error) string {
	if advice := hint.Of(err); advice != "" {
		return err.Error() + "; " + advice
	}
	if err == nil {
		return ""
	}
	return err.Error()
}
