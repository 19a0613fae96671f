package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"gobuild/pkg/api"
	"gobuild/pkg/lazyre"
	"gobuild/pkg/version"
)

// keyRE is the form of a builder key.
var keyRE = lazyre.New(`^[0-9a-f]{32}$`)

// asItCame is what to do about a file that holds no builder key.
const asItCame = "put the key into it as it came: one word of 32 hex digits"

// keyFile looks at the builder key: there, safe, and of the right form.
func (e *exam) keyFile(context.Context) []Finding {
	if e.HostType == "" && e.KeyFile == "" {
		return one(warn("ask the farm's maintainer for a host type and its key, and put host-type into the configuration", "no host type is configured"))
	}
	found, err := e.builderKey()
	if err != nil {
		return one(fail(remedyOf(err, asItCame), "%v", err))
	}
	shown := fmt.Sprintf("%s, %s", found.File, found.Fingerprint())
	switch {
	case keyRE.MatchString(found.Key):
	case keyRE.MatchString(strings.ToLower(found.Key)):
		return one(fail("write its letters small: the coordinator compares them", "%s: the key has capitals", found.File))
	default:
		return one(fail(asItCame, "%s holds %d characters that are no builder key", found.File, len(found.Key)))
	}
	warnings := found.Warnings
	if text, err := os.ReadFile(found.File); err == nil && strings.Contains(string(text), "\r") {
		warnings = append(warnings, "the file ends in a carriage return, as files from Windows do; gobuild and upstream's buildlet take it off, other programs send it along and are refused")
	}
	var findings []Finding
	for _, w := range warnings {
		text, remedy, _ := strings.Cut(w, "; ")
		findings = append(findings, warn(cmp.Or(remedy, asItCame), "%s", text))
	}
	if info, err := os.Stat(found.File); err == nil {
		shown += ", " + modeAndOwner(info)
		if open := exposure(info); open != "" && len(findings) == 0 {
			findings = append(findings, warn("chmod 600 "+found.File+": whoever has the key can register as this machine", "%s: %s", found.File, open))
		}
	}
	if len(findings) == 0 {
		return one(ok("%s", shown))
	}
	return findings
}

// whoamiWait bounds the question to the coordinator, retries included.
const whoamiWait = 15 * time.Second

// whoami asks the coordinator whether it takes the builder key.
func (e *exam) whoami(ctx context.Context) []Finding {
	if e.Coordinator == "" || e.HostType == "" {
		return one(Finding{State: Skip, Found: "no coordinator and host type are configured"})
	}
	found, err := e.builderKey()
	if err != nil || !keyRE.MatchString(found.Key) {
		return one(Finding{State: Skip, Found: "there is no builder key to show"})
	}
	client, err := api.NewClient(api.ClientOptions{
		URL: e.Coordinator, User: e.HostType, Key: found.Key,
		Dialer:    e.Dialer,
		UserAgent: "gobuild/" + version.String(),
	})
	if err != nil {
		return one(fail(remedyOf(err, "mend coordinator in the configuration"), "%v", err))
	}
	defer client.Close()
	ctx, cancel := context.WithTimeoutCause(ctx, whoamiWait, fmt.Errorf("no answer within %s", whoamiWait))
	defer cancel()
	who, err := client.Whoami(ctx)
	refused, isError := errors.AsType[*api.Error](err)
	switch {
	case isError && refused.Code == api.CodeUnauthorized:
		return one(fail(fmt.Sprintf("ask the farm's maintainer for the key of %s: keys are made of the host type's name, letter by letter", e.HostType), "refused: %v", err))
	case err != nil:
		return one(unknown("%v", err).or(remedyOf(err, "mend the way to the coordinator first")))
	}
	return one(ok("takes it as %s's", who.Principal))
}
