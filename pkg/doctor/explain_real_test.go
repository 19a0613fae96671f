package doctor

import (
	"os"
	"os/exec"
	"runtime"
	"slices"
	"testing"
)

// TestExplainReal has the system and its Python say what goes wrong.
func TestExplainReal(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the commands are Linux's")
	}
	const python = "/usr/bin/python3"
	if _, err := os.Stat(python); err != nil {
		t.Skip(err)
	}
	for want, script := range map[string]string{
		"disk-full":          `cat /etc/passwd >/dev/full`,
		"too-many-files":     `ulimit -n 20; ` + python + ` -c 'x = [open("/dev/null") for _ in range(99)]'`,
		"out-of-memory":      `ulimit -v 400000; ` + python + ` -c 'x = "a" * 10**9'`,
		"connection-refused": python + ` -c 'import urllib.request; urllib.request.urlopen("http://127.0.0.1:1/")'`,
		"dns":                python + ` -c 'import urllib.request; urllib.request.urlopen("http://nowhere.invalid/")'`,
		"bot-exec-format":    `printf '\000' >p; chmod 755 p; ` + python + ` -c 'import subprocess; subprocess.run(["./p"])'`,
		"bot-zip-damaged":    `echo '<html>' >swarming_bot.zip; ` + python + ` swarming_bot.zip start_bot`,
	} {
		t.Run(want, func(t *testing.T) {
			cmd := exec.CommandContext(within(t), "sh", "-c", script)
			cmd.Dir = t.TempDir()
			out, err := cmd.CombinedOutput()
			if err == nil {
				t.Fatalf("it does not fail: %s", out)
			}
			if got := ids(explainText(t, string(out))); !slices.Equal(got, []string{want}) {
				t.Errorf("got %q for\n%s", got, out)
			}
		})
	}
}
