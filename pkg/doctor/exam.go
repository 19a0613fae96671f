package doctor

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"gobuild/pkg/builderkey"
	"gobuild/pkg/hint"
)

// exam is one run of the checks.
type exam struct {
	Options
	luci, coordinator need
	// answers are those of the hosts; the checks that look at them share them.
	answers func() []answer
}

// need says how much a kind of farm matters to the exam.
type need int

const (
	no      need = iota
	perhaps      // nothing says which kind of farm the machine is for
	yes
)

func newExam(ctx context.Context, o Options) *exam {
	e := &exam{Options: o}
	luci := o.CertPEM != "" || o.PKeyPEM != "" || o.TokenFile != "" || o.Backend != "" || o.Swarming != ""
	coordinator := o.Coordinator != "" || o.HostType != "" || o.KeyFile != ""
	pick := func(target Target, configured, other bool) need {
		switch {
		case o.For == target, o.For == TargetAny && configured:
			return yes
		case o.For == TargetAny && !other:
			return perhaps
		}
		return no
	}
	e.luci = pick(TargetLUCI, luci, coordinator)
	e.coordinator = pick(TargetCoordinator, coordinator, luci)
	e.answers = sync.OnceValue(func() []answer { return e.callHosts(ctx) })
	return e
}

// need returns how much a check for target matters; one for any always does.
func (e *exam) need(target Target) need {
	switch target {
	case TargetLUCI:
		return e.luci
	case TargetCoordinator:
		return e.coordinator
	}
	return yes
}

// leftOut returns why a check is not done, or "".
func (e *exam) leftOut(c check) string {
	need := e.need(c.target)
	switch {
	case need == no && e.For != TargetAny:
		return "not asked for"
	case need == no && c.target == TargetLUCI:
		return "nothing of LUCI is configured"
	case need == no:
		return "nothing of a coordinator is configured"
	case need == perhaps && c.settings:
		return notConfigured
	case c.network && e.Offline:
		return "not done offline"
	}
	return ""
}

// notConfigured is why a check of settings is not done on a new machine.
const notConfigured = "nothing is configured yet (gobuild init)"

// name returns the configured host name, else the machine's.
func (e *exam) name() string {
	if e.Hostname != "" {
		return e.Hostname
	}
	name, err := os.Hostname()
	if err != nil {
		return "unknown"
	}
	return name
}

// home returns the home directory, or "" if there is none.
func (e *exam) home() string { return e.Getenv(homeVariable) }

// workDir returns where work is done: the configured directory, else the one
// of the Swarming bot, else the place of the worker's own (build protocol,
// section 4). It need not be there yet.
func (e *exam) workDir() string {
	switch {
	case e.WorkDir != "":
		return e.WorkDir
	case e.luci >= e.coordinator && e.home() != "":
		return filepath.Join(e.home(), ".swarming")
	case runtime.GOOS == "windows":
		return `C:\workdir`
	}
	return os.TempDir()
}

// existing returns dir or its nearest parent that is there.
func existing(dir string) string {
	for {
		if _, err := os.Stat(dir); err == nil || filepath.Dir(dir) == dir {
			return dir
		}
		dir = filepath.Dir(dir)
	}
}

// path returns a path of the system, which tests move.
func (e *exam) path(path string) string { return filepath.Join(e.Root, path) }

// read returns the trimmed text of a small file of the system, or "".
func (e *exam) read(path string) string {
	text, err := os.ReadFile(e.path(path))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// builderKey finds the builder key where the worker would.
func (e *exam) builderKey() (builderkey.Found, error) {
	if e.KeyFile != "" {
		return builderkey.ReadKey(e.KeyFile)
	}
	return builderkey.Locate(e.HostType, e.Getenv)
}

func ok(format string, args ...any) Finding {
	return Finding{State: OK, Found: fmt.Sprintf(format, args...)}
}

func unknown(format string, args ...any) Finding {
	return Finding{State: Unknown, Found: fmt.Sprintf(format, args...)}
}

// or gives a finding a remedy.
func (f Finding) or(remedy string) Finding {
	f.Remedy = remedy
	return f
}

// unmeasured is the finding where a system has no way to tell.
func unmeasured() []Finding {
	return one(unknown("cannot be measured on %s", ownPort()))
}

func warn(remedy, format string, args ...any) Finding {
	return Finding{State: Warn, Found: fmt.Sprintf(format, args...), Remedy: remedy}
}

func fail(remedy, format string, args ...any) Finding {
	return Finding{State: Fail, Found: fmt.Sprintf(format, args...), Remedy: remedy}
}

// remedyOf returns the hint of an error, or another text where it has none.
func remedyOf(err error, otherwise string) string { return cmp.Or(hint.Of(err), otherwise) }

func one(f Finding) []Finding { return []Finding{f} }
