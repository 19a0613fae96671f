package doctor

import (
	"context"
	"strings"

	"gobuild/pkg/botcert"
	"gobuild/pkg/hint"
)

// botHost returns the configured host name without the number that tells one
// of several bots from the others: they share a certificate (LUCI protocol,
// section 10.2).
func (e *exam) botHost() string {
	host, _, _ := strings.Cut(e.Hostname, "--")
	return host
}

// hostname judges the configured host name.
func (e *exam) hostname(context.Context) []Finding {
	f := e.judgeHostname()
	f.Wanted = "a name that is free in the farm"
	if e.luci != no {
		f.Wanted = "GOOS-GOARCH-HANDLE"
	}
	return one(f)
}

func (e *exam) judgeHostname() Finding {
	switch {
	case e.Hostname == "" && e.luci == yes:
		return warn("choose one and put it into the configuration: gobuild init", "none is configured, and the machine's own is %s", e.name())
	case e.Hostname == "":
		return ok("%s, the machine's own; none is configured", e.name())
	case strings.ContainsAny(e.Hostname, " \t<>/\"'%?#"):
		return fail("choose one of letters, digits and dashes", "%.80q cannot be a host name", e.Hostname)
	case e.luci == no:
		return ok("%s", e.Hostname)
	}
	host, err := botcert.CheckHost(e.botHost(), true)
	if err != nil {
		f := fail(hint.Of(err), "%v", err)
		if e.coordinator == yes {
			f.State = Warn // a coordinator takes any name
		}
		return f
	}
	port := e.Port
	if port == "" {
		port = ownPort()
	}
	if host.Port.String() != port {
		return warn("it works, but misleads; a name is chosen for good, with the certificate", "%s is named for another port than %s", e.Hostname, port)
	}
	return ok("%s", e.Hostname)
}
