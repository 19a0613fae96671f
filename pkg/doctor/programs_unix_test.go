//go:build unix

package doctor

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"gobuild/pkg/account"
	"gobuild/pkg/account/accounttest"
)

// programs puts scripts into a directory that is PATH for the test, with what
// the scripts themselves call.
func programs(t *testing.T, scripts map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, script := range scripts {
		put(t, filepath.Join(dir, name), "#!/bin/sh\n"+script+"\n", 0o755)
	}
	t.Setenv("PATH", dir)
	return dir
}

func TestPython(t *testing.T) {
	says := func(text string) string { return "echo '" + text + "'" }
	for _, tt := range []struct {
		name, script string
		want         expect
	}{
		{"2.7", says("2 7 18 tls plain"), expect{Fail, `^2\.7\.18, /.*/python3$`, `3\.7 to 3\.13`}},
		{"3.6", says("3 6 15 tls plain"), expect{Fail, `^3\.6\.15`, "older"}},
		{"3.7", says("3 7 0 tls plain"), expect{OK, `^3\.7\.0`, ""}},
		{"3.13", says("3 13 2 tls plain"), expect{OK, `^3\.13\.2`, ""}},
		{"3.14", says("3 14 0 tls plain"), expect{Warn, `^3\.14\.0`, "2026-08-20"}},
		{"3.15", says("3 15 0 tls plain"), expect{Fail, `^3\.15\.0`, "no bot has run"}},
		{"4", says("4 0 0 tls plain"), expect{Fail, `^4\.0\.0`, ""}},
		{"no ssl", says("3 11 2 no-tls plain"), expect{Fail, "without the ssl module", "OpenSSL"}},
		{"venv", says("3 11 2 tls venv"), expect{Warn, "", "virtual environment"}},
		{"broken", "echo 'Fatal Python error: init_fs_encoding' >&2; exit 1", expect{Fail, `does not work: python3: exit status 1: Fatal Python error`, "anew"}},
		{"another program", says("hello"), expect{Fail, `is no Python: it printed "hello"`, ""}},
		{"no numbers", says("3 x 2 tls plain"), expect{Fail, `is no Python`, ""}},
		{"garbage", `printf '\033[2J\n'`, expect{Fail, `is no Python`, ""}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			programs(t, map[string]string{"python3": tt.script})
			compare(t, examine(t, Options{}).python(within(t)), tt.want)
		})
	}
}

func TestPythonChoice(t *testing.T) {
	programs(t, nil)
	compare(t, examine(t, Options{}).python(within(t)), expect{Fail, "^no python3 in PATH$", "install Python 3"})
	dir := programs(t, map[string]string{"pypy3": "echo 3 10 1 tls plain"})
	compare(t, examine(t, Options{Python: "pypy3"}).python(within(t)), expect{Warn, `^3\.10\.1, .*/pypy3, but no python3 in PATH$`, "bootstrapswarm"})
	compare(t, examine(t, Options{Python: filepath.Join(dir, "none")}).python(within(t)), expect{Fail, "none", "mend python"})
	put(t, filepath.Join(dir, "python3"), "", 0o755)
	compare(t, examine(t, Options{Python: "pypy3"}).python(within(t)), expect{OK, "pypy3$", ""})
	dir = programs(t, nil)
	put(t, filepath.Join(dir, "shims", "python3"), "#!/bin/sh\necho 3 11 2 tls plain\n", 0o755)
	t.Setenv("PATH", filepath.Join(dir, "shims"))
	compare(t, examine(t, Options{}).python(within(t)), expect{Warn, "shims/python3$", "pyenv"})
}

// TestPythonHangs has an interpreter that does not answer, and one that leaves
// a child behind which holds its output open.
func TestPythonHangs(t *testing.T) {
	path := os.Getenv("PATH")
	for _, script := range []string{"exec sleep 100", "sleep 60 & echo 3 11 2 tls plain"} {
		programs(t, map[string]string{"python3": "PATH='" + path + "'; " + script})
		start := time.Now()
		r := Run(t.Context(), Options{For: TargetLUCI, Only: []string{"python"}, Timeout: 500 * time.Millisecond})
		if took := time.Since(start); took > 30*time.Second {
			t.Errorf("%s: it took %s", script, took)
		}
		if f := r.Findings[0]; strings.Contains(script, "100") && f.State == OK {
			t.Errorf("%s: got %+v", script, f)
		}
	}
}

// TestRealPython asks the one of this machine, in the test's own words.
func TestRealPython(t *testing.T) {
	p, err := ask(within(t), "/usr/bin/python3")
	if err != nil {
		t.Skip(err)
	}
	if p.major != 3 || p.venv {
		t.Errorf("got %+v", p)
	}
}

func TestReboot(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the commands are Linux's")
	}
	asJoe(t)
	// A sudo that lets do the commands in $allowed, and has these rules.
	const sudo = `printf '%s\n' "$*" >>"${0%/*}/log"
case "$*" in
"-n -l") printf '%s\n' "Matching Defaults entries for joe on vm:" "    env_reset" "" "User joe may run the following commands on vm:" "    $rules" ;;
"-n -l /sbin/shutdown -r now"|"-n -l /sbin/reboot -f") case "$allowed" in *"${3#/sbin/}"*) ;; *) echo "sudo: a password is required" >&2; exit 1 ;; esac ;;
*) exit 9 ;;
esac`
	const password = "but wants a password for it$"
	for _, tt := range []struct {
		name, allowed, rules string
		want                 expect
	}{
		{"allowed", "shutdown", "(root) NOPASSWD: /sbin/shutdown -r now", expect{OK, "^sudo lets this user run /sbin/shutdown -r now$", ""}},
		{"among others", "shutdown", "(root) SETENV: NOPASSWD: /bin/true, /sbin/shutdown -r now, PASSWD: /bin/false", expect{OK, "", ""}},
		{"with any arguments", "shutdown", "(root) NOPASSWD: /sbin/shutdown", expect{OK, "", ""}},
		{"in a form that is not understood", "shutdown", "(root) NOPASSWD: /sbin/shut*", expect{OK, "", ""}},
		{"everything", "shutdown reboot", "(ALL : ALL) NOPASSWD: ALL", expect{Warn, "and /sbin/reboot -f as well", "no more than: /sbin/shutdown -r now"}},
		{"another without a password", "shutdown", "(root) NOPASSWD: /bin/true, PASSWD: /sbin/shutdown -r now", expect{Fail, password, "after the other rules: USER .*NOPASSWD: /sbin/shutdown -r now"}},
		{"everything with a password", "shutdown", "(root) NOPASSWD: /bin/true\n    (ALL) ALL", expect{Fail, password, ""}},
		{"password", "", "", expect{Fail, `without a password \(sudo: exit status 1: sudo: a password is required\)`, "NOPASSWD: /sbin/shutdown -r now"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := programs(t, map[string]string{"sudo": "rules='" + strings.ReplaceAll(tt.rules, `\n`, "\n") + "' allowed='" + tt.allowed + "'\n" + sudo})
			compare(t, examine(t, Options{}).reboot(within(t)), tt.want)
			calls, err := os.ReadFile(filepath.Join(dir, "log"))
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(string(calls)) {
				if !strings.HasPrefix(line, "-n -l") {
					t.Errorf("sudo was called with %q, which may do more than list", line)
				}
			}
		})
	}
	programs(t, nil)
	compare(t, examine(t, Options{}).reboot(within(t)), expect{Fail, "no sudo", "install sudo"})
	programs(t, map[string]string{"doas": "exit 1"})
	compare(t, examine(t, Options{}).reboot(within(t)), expect{Fail, "no sudo", "doas"})
	compare(t, examine(t, Options{}, "SWARMING_NEVER_REBOOT", "1").reboot(within(t)), expect{OK, "not wanted", ""})

	path := os.Getenv("PATH")
	programs(t, map[string]string{"sudo": "PATH='" + path + ":/bin:/usr/bin'; sleep 100"})
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	compare(t, examine(t, Options{}).reboot(ctx), expect{Unknown, "sudo gave no answer within", "what sudo waits for"})
}

// TestRebootAsRoot asks sudo as the bot's user: to root it says what that user
// may do with a password, too.
func TestRebootAsRoot(t *testing.T) {
	asRoot(t)
	saved := botAccount
	defer func() { botAccount = saved }()
	botAccount = func() *account.Account { return nil }
	dir := programs(t, map[string]string{"sudo": `test "$(/usr/bin/id -u)" = 65534 && exit 0; echo "sudo: asked as root" >&2; exit 1`})
	compare(t, examine(t, Options{}).reboot(within(t)), expect{Unknown, "no user swarming", "make that user"})
	if os.Geteuid() != 0 || runtime.GOOS != "linux" {
		t.Skip("only root may become another")
	}
	accounttest.Open(t, dir)
	botAccount = func() *account.Account { return &account.Account{UID: 65534, Groups: []uint32{65534}} }
	compare(t, examine(t, Options{}).reboot(within(t)), expect{Warn, "^sudo lets user swarming run /sbin/shutdown -r now, and", ""})
}

// TestOutputEndsAll has a program whose child goes on talking: neither may it
// outlive the check, nor all that it says be kept.
func TestOutputEndsAll(t *testing.T) {
	dir := programs(t, nil)
	file := filepath.Join(dir, "talker")
	put(t, file, "#!/bin/sh\n/bin/sh -c 'echo $$ >"+dir+"/pid; while :; do echo yes; done'\n", 0o755)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	start := time.Now()
	if _, err := output(ctx, file); !errors.Is(err, errNoAnswer) {
		t.Errorf("got %v", err)
	}
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("it took %s", took)
	}
	text, err := os.ReadFile(filepath.Join(dir, "pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	syscall.Kill(pid, syscall.SIGKILL)
	t.Error("its child goes on")
}

func TestHeadBuffer(t *testing.T) {
	var b headBuffer
	n, err := io.Copy(&b, io.LimitReader(talk{}, 5*maxOutput))
	if n != 5*maxOutput || err != nil || len(b.String()) != maxOutput {
		t.Errorf("of %d bytes (%v) it kept %d", n, err, len(b.String()))
	}
}

// talk is a reader without end.
type talk struct{}

func (talk) Read(p []byte) (int, error) { return copy(p, "yes\n"), nil }

func TestUser(t *testing.T) {
	f := examine(t, Options{}).user(t.Context())
	if os.Geteuid() == 0 {
		compare(t, f, expect{Warn, "^this is root$", "ordinary user"})
	} else {
		compare(t, f, expect{OK, "uid ", ""})
	}
}

func TestHomeDir(t *testing.T) {
	dir := t.TempDir()
	for _, tt := range []struct {
		home, work string
		want       expect
	}{
		{dir, "", expect{OK, dir, ""}},
		{dir, filepath.Join(dir, ".swarming"), expect{OK, dir, ""}},
		{dir, dir + "/", expect{Fail, "is the work directory", "quarantines"}},
		{"", "", expect{Fail, "HOME is not set", "service"}},
		{filepath.Join(dir, "none"), "", expect{Fail, "none is not there", "make it"}},
	} {
		compare(t, examine(t, Options{WorkDir: tt.work}, "HOME", tt.home).homeDir(t.Context()), tt.want)
	}
}

func TestSupervisor(t *testing.T) {
	for _, tt := range []struct {
		name  string
		files map[string]string
		want  expect
	}{
		{"systemd, beside old scripts", map[string]string{"run/systemd/system/x": "", "etc/init.d/x": ""}, expect{OK, "^systemd$", ""}},
		{"OpenRC", map[string]string{"run/openrc/softlevel": "", "etc/init.d/x": ""}, expect{OK, "^OpenRC$", ""}},
		{"SMF", map[string]string{"lib/svc/manifest/x": ""}, expect{OK, "^SMF$", ""}},
		{"OpenBSD", map[string]string{"etc/rc.d/rc.subr": ""}, expect{OK, `^rc\.d, with a loop`, ""}},
		{"FreeBSD", map[string]string{"etc/rc.subr": ""}, expect{OK, `^rc\.d, with daemon`, ""}},
		{"System V", map[string]string{"etc/init.d/x": "", "proc/1/comm": "init\n"}, expect{Warn, "init.d", "runit"}},
		{"Docker", map[string]string{".dockerenv": "", "etc/init.d/x": ""}, expect{Warn, "container", "restarted"}},
		{"another container", map[string]string{"proc/1/comm": "tini-static\n"}, expect{Warn, `the first process is "tini-static"`, ""}},
		{"the same with scripts", map[string]string{"proc/1/comm": "dumb-init\n", "etc/init.d/x": ""}, expect{Warn, "dumb-init", "in a container"}},
		{"a shell", map[string]string{"proc/1/comm": "bash\n", "etc/init.d/x": ""}, expect{Warn, `the first process is "bash"`, "in a container"}},
		{"nothing", nil, expect{Warn, "none is known", "loop"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			compare(t, examine(t, Options{Root: tree(t, tt.files)}).supervisor(t.Context()), tt.want)
		})
	}
}
