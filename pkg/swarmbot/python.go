package swarmbot

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"gobuild/pkg/hint"
)

// The versions of Python 3 that run every bot, and the one that runs those
// built after 2026-08-20 (LUCI protocol, section 9.2).
const (
	pythonOldest = 7
	pythonNewest = 13
	pythonYoung  = 14
)

// askPython has an interpreter of any version say which it is, and whether it
// can speak https.
const askPython = `import sys
try:
    import ssl
    tls = "tls"
except Exception:
    tls = "no-tls"
print("%d %d %d %s" % (sys.version_info[0], sys.version_info[1], sys.version_info[2], tls))
`

// pythonWait bounds the question.
const pythonWait = 30 * time.Second

// python is an interpreter that was found fit.
type python struct {
	file    string
	changed time.Time // of the file, when it was asked
	version string
}

// findPython returns the interpreter for the bot. One that has been asked
// before is not asked again.
func (b *Bot) findPython(ctx context.Context) (python, error) {
	name := b.opts.Python
	if name == "" {
		name = "python3"
	}
	install := fmt.Sprintf("install Python 3.%d to 3.%d as python3, or name one with --python", pythonOldest, pythonNewest)
	file, err := exec.LookPath(name)
	if err != nil {
		return python{}, hint.With(fmt.Errorf("find Python: %w", err), "%s; a service has another PATH than a shell", install)
	}
	info, err := os.Stat(file)
	if err != nil {
		return python{}, fmt.Errorf("find Python: %w", err)
	}
	if known := b.python; known.file == file && known.changed.Equal(info.ModTime()) {
		return known, nil
	}
	ctx, cancel := context.WithTimeout(ctx, pythonWait)
	defer cancel()
	cmd := exec.CommandContext(ctx, file, "-c", askPython)
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if err != nil {
		return python{}, hint.With(fmt.Errorf("%s does not work: %w", file, err), "%s", install)
	}
	words := strings.Fields(string(out))
	if len(words) != 4 {
		return python{}, hint.With(fmt.Errorf("%s is no Python: it printed %.40q", file, out), "%s", install)
	}
	major, _ := strconv.Atoi(words[0])
	minor, _ := strconv.Atoi(words[1])
	found := python{file, info.ModTime(), strings.Join(words[:3], ".")}
	switch {
	case major != 3 || minor < pythonOldest:
		return python{}, hint.With(fmt.Errorf("%s is Python %s, too old for the bot", file, found.version), "%s", install)
	case minor > pythonYoung:
		return python{}, hint.With(fmt.Errorf("%s is Python %s, on which no bot has run yet", file, found.version), "%s", install)
	case words[3] != "tls":
		return python{}, hint.With(fmt.Errorf("%s, Python %s, lacks the ssl module, and the bot speaks https only", file, found.version), "%s", install)
	case minor == pythonYoung:
		b.opts.Log.Warn("bots built before 2026-08-20 fail on this Python", "python", found.version, "file", file)
	}
	b.python = found
	return found, nil
}
