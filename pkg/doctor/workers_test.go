package doctor

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

func TestWorkerName(t *testing.T) {
	for line, want := range map[string]string{
		"/usr/local/bin/bootstrapswarm -hostname x":                            "bootstrapswarm",
		"/home/s/.swarming/../usr/bin/python3 /a/swarming_bot.1.zip start_bot": "Swarming bot",
		"python3 swarming_bot.2.zip start_slave --survive":                     "Swarming bot",
		"python3 swarming_bot.1.zip task_runner --in-file x":                   "",
		"gobuild run-bot --host-type x":                                        "gobuild run-bot",
		"gobuild --config /etc/x buildlet":                                     "gobuild buildlet",
		"gobuild doctor":                                                       "",
		"/x/gobuild.exe stage0":                                                "gobuild stage0",
		`C:\go\buildlet.exe -coordinator=x`:                                    "buildlet",
		"./buildlet.linux-amd64 -reverse-type=x":                               "buildlet.linux-amd64",
		"vi buildlet.go":                                                       "",
		"grep bootstrapswarm":                                                  "",
		"-sh":                                                                  "",
	} {
		if got := workerName(strings.Fields(line)); got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}

func TestInstance(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("/proc is Linux's")
	}
	proc := func(lines ...string) map[string]string {
		files := map[string]string{"proc/meminfo": "", "proc/self/x": ""}
		for _, line := range lines {
			pid, rest, _ := strings.Cut(line, " ")
			parent, command, _ := strings.Cut(rest, " ")
			files["proc/"+pid+"/stat"] = fmt.Sprintf("%s (a) b (c)) S %s 1 1 0", pid, parent)
			files["proc/"+pid+"/cmdline"] = strings.ReplaceAll(command, " ", "\x00") + "\x00"
		}
		return files
	}
	for _, tt := range []struct {
		name  string
		files map[string]string
		want  expect
	}{
		{"none", proc("1 0 init", "7 1 sh"), expect{OK, "^none runs$", ""}},
		{"one, with its children", proc("1 0 init", "7 1 bootstrapswarm -hostname x", "8 7 python3 swarming_bot.1.zip start_bot", "9 8 sh", "10 9 python3 swarming_bot.1.zip start_bot"),
			expect{OK, `^one runs: bootstrapswarm \(pid 7\)$`, ""}},
		{"a bot left over", proc("1 0 init", "7 1 bootstrapswarm", "8 7 python3 swarming_bot.1.zip start_bot", "9 1 python3 swarming_bot.2.zip start_bot"),
			expect{Warn, `^2 run: .*bootstrapswarm \(pid 7\)`, "stop all but one"}},
		{"kernel threads, a circle", proc("2 0 ", "3 4 a", "4 3 b", "5 4 buildlet"), expect{OK, `buildlet \(pid 5\)`, ""}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			compare(t, examine(t, Options{Root: tree(t, tt.files)}).instance(t.Context()), tt.want)
		})
	}
}

func TestParsePS(t *testing.T) {
	got := parsePS("  PID  PPID COMMAND\n    1     0 /sbin/init\n  812     1 /usr/local/bin/bootstrapswarm -hostname x\n junk\n")
	if len(got) != 2 || got[1].pid != 812 || got[1].parent != 1 || workerName(got[1].args) != "bootstrapswarm" {
		t.Errorf("got %+v", got)
	}
}
