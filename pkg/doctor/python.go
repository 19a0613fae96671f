package doctor

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// askPython makes an interpreter of any version say which it is, whether it
// can open TLS connections, and whether it belongs to a virtual environment.
const askPython = `import sys
try:
    import ssl
    tls = "tls"
except Exception:
    tls = "no-tls"
venv = "plain"
if getattr(sys, "base_prefix", sys.prefix) != sys.prefix:
    venv = "venv"
print("%d %d %d %s %s" % (sys.version_info[0], sys.version_info[1], sys.version_info[2], tls, venv))
`

// The versions of Python 3 that run the Swarming bot (LUCI protocol, section
// 9.2).
const (
	pythonOldest = 7
	pythonNewest = 13
	pythonYoung  = 14 // works with bots built after 2026-08-20
)

// interpreter is what a Python says of itself.
type interpreter struct {
	file                string
	major, minor, patch int
	tls, venv           bool
}

func (p interpreter) String() string {
	return fmt.Sprintf("%d.%d.%d, %s", p.major, p.minor, p.patch, p.file)
}

// python looks for the interpreter that runs the Swarming bot.
func (e *exam) python(ctx context.Context) []Finding {
	name := e.Python
	if name == "" {
		name = "python3"
	}
	file, err := exec.LookPath(name)
	if err != nil {
		if e.Python != "" {
			return one(fail("mend python in the configuration, or leave it out for python3 in PATH", "%v", err))
		}
		return one(fail("install Python 3 under the name python3, in the PATH of the worker's service too", "no python3 in PATH"))
	}
	start := time.Now()
	p, err := ask(ctx, file)
	if err != nil {
		if strings.Contains(file, "WindowsApps") {
			return one(fail("install Python from python.org and switch the alias off (Settings, App execution aliases)", "%s is the Microsoft Store's stand-in for a Python that is not installed", file))
		}
		if errors.Is(err, errNoAnswer) {
			return one(fail("find out what it waits for, such as a file system whose server is gone, or name another with python in the configuration", "%s gave %v within %s", file, errNoAnswer, time.Since(start).Round(100*time.Millisecond)))
		}
		return one(fail("install it anew, or name another with python in the configuration", "%s does not work: %v", file, err))
	}
	f := p.judge()
	if f.State != OK || e.Python == "" {
		return one(f)
	}
	if _, err := exec.LookPath("python3"); err != nil {
		// gobuild run-bot knows the configured one, bootstrapswarm does not.
		return one(warn("gobuild run-bot uses the configured one; bootstrapswarm, and scripts of builds, need the name python3", "%s, but no python3 in PATH", p))
	}
	return one(f)
}

// ask runs an interpreter.
func ask(ctx context.Context, file string) (interpreter, error) {
	out, err := output(ctx, file, "-c", askPython)
	if err != nil {
		return interpreter{}, err
	}
	words := strings.Fields(out)
	if len(words) != 5 {
		return interpreter{}, fmt.Errorf("%s is no Python: it printed %.40q", filepath.Base(file), out)
	}
	var n [3]int
	for i := range n {
		if n[i], err = strconv.Atoi(words[i]); err != nil {
			return interpreter{}, fmt.Errorf("%s is no Python: it printed %.40q", filepath.Base(file), out)
		}
	}
	return interpreter{file, n[0], n[1], n[2], words[3] == "tls", words[4] == "venv"}, nil
}

// judge compares an interpreter with what the Swarming bot needs.
func (p interpreter) judge() Finding {
	switch {
	case p.major != 3 || p.minor < pythonOldest:
		return fail(fmt.Sprintf("install Python 3.%d to 3.%d as python3, or name one with python in the configuration; the bot's libraries fail on older ones", pythonOldest, pythonNewest), "%s", p)
	case p.minor > pythonYoung:
		return fail(fmt.Sprintf("install Python 3.%d to 3.%d as python3, or name one with python in the configuration; no bot has run on this one yet", pythonOldest, pythonNewest), "%s", p)
	case !p.tls:
		return fail("install Python with its ssl module (built with OpenSSL): the bot speaks https only", "%s, without the ssl module", p)
	case p.minor == pythonYoung:
		return warn("bots built before 2026-08-20 fail on it; Python 3.13 runs all", "%s", p)
	case strings.Contains(filepath.ToSlash(p.file), "/shims/"):
		return warn("it is a shim of a version manager such as pyenv, which a service does not have in its PATH; install Python for the system", "%s", p)
	case p.venv:
		return warn("it belongs to a virtual environment, which a service does not have in its PATH; install Python for the system", "%s", p)
	}
	return ok("%s", p)
}
