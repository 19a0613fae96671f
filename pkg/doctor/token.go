package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"gobuild/pkg/botcert"
	"gobuild/pkg/machinetoken"
)

// tokenSpare is how long before its end a token is no longer used by the bot
// (LUCI protocol, section 9.8).
const tokenSpare = 10 * time.Minute

// missedRuns is how long after its time a refresh is missed: the daemon runs
// every 10 minutes.
const missedRuns = 15 * time.Minute

// token looks at the file through which the token daemon hands the machine
// token to the bot.
func (e *exam) token(context.Context) []Finding {
	file := e.TokenFile
	if file == "" {
		file = machinetoken.TokenFilePath(e.Getenv)
	}
	const start = "run the token daemon every 10 minutes as root: luci_machine_tokend, or gobuild tokend --once"
	token, err := machinetoken.ReadTokenFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist) && e.luci == perhaps:
		return one(Finding{State: Skip, Found: notConfigured})
	case errors.Is(err, fs.ErrNotExist):
		f := fail(start, "%s is not there", file)
		if _, err := os.Stat(e.CertPEM); err != nil || e.CertPEM == "" {
			f.State, f.Remedy = Warn, "it comes with the certificate, once the token daemon runs"
		}
		return one(f)
	case errors.Is(err, fs.ErrPermission):
		_, who := privileged()
		return one(fail("let the bot's user read it: mode 0644, and 0755 for the directories on the way (a umask of 077 makes them less)",
			"%s cannot read it: %v", who, err))
	case err != nil:
		return one(fail(remedyOf(err, "mend token-file in the configuration"), "%v", err))
	}
	now := e.Now()
	var f Finding
	left := token.Expiry.Sub(now)
	switch {
	case token.Token == "":
		f = fail(start, "%s holds no machine token", file)
	case token.Expiry.IsZero():
		f = fail(start, "%s does not say when the token ends", file)
	case left <= 0:
		f = fail(start+"; its log says why it gets no new one", "the token ended %s ago", span(-left))
	case left < tokenSpare:
		f = warn(start+"; the bot wants 10 minutes left", "the token ends in %s", span(left))
	case !token.NextUpdate.IsZero() && now.Sub(token.NextUpdate) > missedRuns:
		f = warn(start+"; its log says why it gets no new one", "the token is good for %s, but its renewal was due %s ago", span(left), span(now.Sub(token.NextUpdate)))
	case len(token.Unknown) > 0:
		f = warn("leave them out: luci_machine_tokend takes this file for none and gets a new token at every run", "fields that no token file has: %s", strings.Join(token.Unknown, ", "))
	default:
		f = ok("good for %s, renewed %s ago", span(left), span(now.Sub(token.LastUpdate)))
		if token.LastUpdate.IsZero() {
			f = ok("good for %s", span(left))
		}
	}
	findings := one(f)
	if token.Token != "" {
		findings = append(findings, e.tokenHost(token.Token)...)
	}
	if why := hiddenFrom(botAccount(), os.Stat, file); why != "" {
		findings = append(findings, fail(fmt.Sprintf("chmod 644 %s, and 755 for the directories on the way", file), "the bot's user cannot read %s: %s", file, why))
	}
	if info, err := os.Stat(file); err == nil {
		if open := writable(info); open != "" {
			findings = append(findings, warn("chmod 644 "+file+": only the token daemon is to write it", "%s: %s", file, open))
		}
		findings[0].Found += "; " + modeAndOwner(info)
	}
	if e.TokenFile != "" && e.TokenFile != machinetoken.TokenFilePath(e.Getenv) {
		findings = append(findings, warn(fmt.Sprintf("set LUCI_MACHINE_TOKEN=%s in the bot's service too, or use the usual place", e.TokenFile),
			"the bot looks in %s, not in %s", machinetoken.TokenFilePath(e.Getenv), e.TokenFile))
	}
	if f.State == OK && len(findings) > 1 {
		return findings[1:]
	}
	return findings
}

// tokenHost judges which machine a token is for. It returns nothing if that is
// this one.
func (e *exam) tokenHost(token string) []Finding {
	body, err := machinetoken.ParseToken(token)
	switch {
	case err != nil:
		return one(fail("remove the file: the token daemon writes a new one at its next run", "%v", err))
	case e.Hostname != "" && body.FQDN != botcert.FQDN(e.botHost()):
		return one(fail(fmt.Sprintf("give the token daemon the certificate of %s, and remove the file", e.botHost()), "the token is for %s", body.FQDN))
	}
	return nil
}

// span writes a time for people, in whole minutes if it is longer than two.
func span(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%d days", int(d.Hours()/24))
	case d >= 2*time.Minute:
		text := strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
		return strings.Replace(text, "h0m", "h", 1)
	}
	return d.Round(time.Second).String()
}
