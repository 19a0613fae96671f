package doctor

import (
	"context"
	"crypto/x509"
	"errors"
	"slices"
	"time"
)

// How far a clock may be off. The token server refuses a request that is more
// than 10 minutes from its own time (LUCI protocol, section 4).
const (
	clockGood = time.Minute
	clockMost = 10 * time.Minute
)

// setClock is what to do about a wrong clock.
const setClock = "set the clock, and keep it right by NTP (timedatectl set-ntp true, ntpd, chronyd)"

// clock compares this machine's clock with the Date of the hosts that answer.
func (e *exam) clock(context.Context) []Finding {
	var skews []time.Duration
	for _, a := range e.answers() {
		invalid, isInvalid := errors.AsType[x509.CertificateInvalidError](a.err)
		switch {
		case isInvalid && invalid.Reason == x509.Expired && invalid.Cert.NotBefore.After(e.Now()):
			return one(fail(setClock, "the certificate of %s begins on %s, and here it is %s", a.addr,
				invalid.Cert.NotBefore.UTC().Format(time.RFC3339), e.Now().UTC().Format(time.RFC3339)))
		case !a.date.IsZero():
			skews = append(skews, a.skew())
		}
	}
	if len(skews) == 0 {
		return one(unknown("no host answered with its time").or("mend the way to the hosts above, or compare by hand: date -u"))
	}
	slices.Sort(skews)
	skew := skews[len(skews)/2]
	off := max(skew, -skew)
	direction := "ahead"
	if skew < 0 {
		direction = "behind"
	}
	switch {
	case off <= 2*time.Second: // what a Date header can tell
		return one(ok("right"))
	case off <= clockGood:
		return one(ok("%s %s", span(off), direction))
	case off <= clockMost || e.luci == no:
		return one(warn(setClock, "%s %s", span(off), direction))
	}
	f := fail(setClock+"; the token server answers BAD_TIMESTAMP", "%s %s", span(off), direction)
	if e.luci == perhaps {
		f.State = Warn
	}
	return one(f)
}

// skew is how far this machine's clock is ahead of the host's. The host's
// Date stands for the middle of the second that it names, and was written
// about half way between question and answer.
func (a answer) skew() time.Duration {
	middle := a.asked.Add(a.answered.Sub(a.asked) / 2)
	return middle.Sub(a.date.Add(time.Second / 2))
}
