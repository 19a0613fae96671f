package unit

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"gobuild/pkg/account/accounttest"
	"gobuild/pkg/hint"
)

// patience is how long a test waits for what a loaded machine does at last.
const patience = 90 * time.Second

// tool returns the path of a program, or skips the test.
func tool(t *testing.T, name string) string {
	t.Helper()
	for _, file := range []string{name, "/usr/sbin/" + name, "/sbin/" + name, "/lib/systemd/" + name} {
		if path, err := exec.LookPath(file); err == nil {
			return path
		}
	}
	t.Skipf("%s is not there", name)
	return ""
}

// asRootOnly skips the test unless it may do what only root may.
func asRootOnly(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can do this")
	}
}

// output runs a command, which has to end well.
func output(t *testing.T, argv ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%q: %v\n%s", argv, err, out)
	}
	return string(out)
}

// write writes a file into a directory, which it makes.
func write(t *testing.T, path, text string, mode os.FileMode) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// systemdService is the service that systemd looks at: its program is there.
func systemdServices() map[string]Service {
	worker := Service{
		Name: "gobuild-run-bot", Description: "Worker of a Go build farm", Program: "/bin/true",
		Args: []string{"run-bot"}, User: "gobuild-run-bot", Builds: true, StopWait: time.Minute, MemoryMax: "3G",
		Hidden: []string{"/etc/luci/a key%h.pem"},
	}
	reboot, farm, hidden, apart := worker, worker, worker, worker
	reboot.AllowReboot = true
	apart.User, apart.Builder, apart.KeyFlag, apart.KeyFile = "", worker.User, "--key-file", "/etc/gobuild/builder.key"
	apartReboot := apart
	apartReboot.AllowReboot = true
	farm.KeyFlag, farm.KeyFile, farm.WorkDir = "--key-file", "/etc/go build/100%.key", "/srv/a 'b' \"c\" %h"
	hidden.Program, hidden.Args, hidden.Env = "/bin/true", hardWords(Systemd), hard(Systemd).Env
	tokend := Service{
		Name: "gobuild-tokend", Description: "Keeps the token fresh", Program: "/bin/true", Args: []string{"tokend"},
		StopWait: time.Minute, Shared: []string{"/var/lib/luci machine"},
	}
	return map[string]Service{"worker": worker, "reboot": reboot, "farm": farm, "hard": hidden, "tokend": tokend, "apart": apart, "apart reboot": apartReboot}
}

// systemd itself finds nothing to say about a unit, and takes it for as safe
// as it is meant to be.
func TestSystemdAnalyze(t *testing.T) {
	analyze := tool(t, "systemd-analyze")
	// The exposure that systemd counts, times 10: what a worker leaves out for
	// builds counts as exposed.
	limits := map[string]int{"worker": 55, "farm": 55, "hard": 55, "reboot": 82, "tokend": 20, "apart": 65, "apart reboot": 82}
	for name, s := range systemdServices() {
		t.Run(name, func(t *testing.T) {
			p := mustMake(t, Systemd, s)
			file := write(t, filepath.Join(t.TempDir(), s.Name+".service"), p.Files[0].Text, 0o644)
			if out := output(t, analyze, "verify", "--man=no", file); out != "" {
				t.Errorf("verify says: %s", out)
			}
			out := output(t, analyze, "security", "--offline=true", fmt.Sprintf("--threshold=%d", limits[name]), file)
			t.Log(out[strings.LastIndex(strings.TrimSpace(out), "\n")+1:])
		})
	}
}

// systemd reads back every word as it was meant: its own test mode shows the
// command line, variables and paths of the unit.
func TestSystemdReads(t *testing.T) {
	manager := tool(t, "systemd")
	argv := []string{manager, "--test", "--user", "--unit=gobuild-run-bot.service"}
	dir := accounttest.OpenDir(t)
	if os.Geteuid() == 0 { // it refuses root
		argv = append([]string{tool(t, "setpriv"), "--reuid=65534", "--regid=65534", "--clear-groups"}, argv...)
	}
	s := systemdServices()["hard"]
	s.WorkDir = "/srv/a 'b' \"c\" %h"
	p := mustMake(t, Systemd, s)
	write(t, filepath.Join(dir, "config", "systemd", "user", "gobuild-run-bot.service"), p.Files[0].Text, 0o644)
	runtimeDir := filepath.Join(dir, "run")
	if err := os.Mkdir(runtimeDir, 0o777); err != nil {
		t.Fatal(err)
	}
	os.Chmod(runtimeDir, 0o777)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), "HOME="+runtimeDir, "XDG_RUNTIME_DIR="+runtimeDir, "XDG_CONFIG_HOME="+filepath.Join(dir, "config"), "SYSTEMD_PAGER=", "SYSTEMD_LOG_TARGET=console")
	out, err := cmd.CombinedOutput()
	if bytes.Contains(out, []byte("Cannot determine cgroup")) {
		t.Skipf("systemd needs control groups, and here are none: %.300s", out)
	}
	if err != nil {
		t.Fatalf("%v\n%.3000s", err, out)
	}
	_, dump, ok := strings.Cut(string(out), "-> Unit gobuild-run-bot.service:")
	if !ok {
		t.Fatalf("no unit in %.3000s", out)
	}
	for _, pair := range s.Env {
		if !strings.Contains(dump, "\tEnvironment: "+pair+"\n") {
			t.Errorf("systemd does not read the variable %q", pair)
		}
	}
	if want := "ReadWritePaths: " + s.WorkDir + "\n"; !strings.Contains(dump, want) {
		t.Errorf("systemd does not read the work directory %q", s.WorkDir)
	}
	if want := "InaccessiblePaths: -" + s.Hidden[0] + "\n"; !strings.Contains(dump, want) {
		t.Errorf("systemd does not read the hidden file")
	}
	line := regexp.MustCompile(`Command Line: (.*)`).FindStringSubmatch(dump)
	if line == nil {
		t.Fatal("no command line")
	}
	words := shownWords(line[1])
	if want := append([]string{s.Program}, s.Args...); !slices.Equal(words, want) {
		t.Errorf("systemd reads\n%q\nnot\n%q\nfrom %s", words, want, line[1])
	}
}

// shownWords takes apart how systemd shows words: in double quotes, with
// backslashes, where it sees the need. $$ is resolved at the start only.
func shownWords(line string) []string {
	var words []string
	for _, word := range regexp.MustCompile(`"(?:[^"\\]|\\.)*"|\S+`).FindAllString(line, -1) {
		if len(word) > 1 && word[0] == '"' {
			word = regexp.MustCompile(`\\(.)`).ReplaceAllString(word[1:len(word)-1], "$1")
		}
		words = append(words, strings.ReplaceAll(word, "$$", "$"))
	}
	return words
}

// systemctl enables the unit for the boot.
func TestSystemctlEnable(t *testing.T) {
	systemctl := tool(t, "systemctl")
	root := t.TempDir()
	in := Installer{Dest: root}
	p := mustMake(t, Systemd, systemdServices()["worker"])
	if err := in.Install(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	output(t, systemctl, "--root="+root, "enable", "gobuild-run-bot.service")
	if _, err := os.Lstat(filepath.Join(root, "etc/systemd/system/multi-user.target.wants/gobuild-run-bot.service")); err != nil {
		t.Error(err)
	}
}

// loop is a worker that leaves its process id in $PIDFILE, and ends at SIGTERM.
const loop = `#!/bin/sh
trap 'rm -f "$PIDFILE"; exit 0' TERM
echo $$ >"$PIDFILE.new"
mv "$PIDFILE.new" "$PIDFILE"
while :; do sleep 0.1; done
`

// supervised is a service of which a supervisor has to take care.
type supervised struct {
	t       *testing.T
	dir     string // where it may write
	pidFile string
	service Service
}

// newSupervised returns a service that runs loop: if the test may, as nobody.
func newSupervised(t *testing.T) *supervised {
	dir := accounttest.OpenDir(t)
	work := filepath.Join(dir, "work")
	if err := os.Mkdir(work, 0o777); err != nil {
		t.Fatal(err)
	}
	os.Chmod(work, 0o777)
	s := &supervised{t: t, dir: dir, pidFile: filepath.Join(work, "the pid")}
	s.service = Service{
		Name: "gobuild-run-bot", Description: "Worker", Program: write(t, filepath.Join(dir, "the worker"), loop, 0o755),
		Builds: true, StopWait: time.Second, Env: []string{"PIDFILE=" + s.pidFile},
	}
	if os.Geteuid() == 0 {
		s.service.User = "nobody"
	}
	return s
}

// install writes the files of the plan below s.dir, with the paths that it
// names itself moved there, too.
func (s *supervised) install(system Init) Plan {
	s.t.Helper()
	p := mustMake(s.t, system, s.service)
	for i := range p.Files {
		text := at(p.Files[i].Text, filepath.Dir(s.pidFile), s.service)
		text = strings.ReplaceAll(text, "/usr/local/libexec/", s.dir+"/usr/local/libexec/")
		text = strings.ReplaceAll(text, "/var/log/", s.dir+"/log-")
		p.Files[i].Text = text
	}
	in := Installer{Dest: s.dir}
	if err := in.Install(s.t.Context(), p); err != nil {
		s.t.Fatal(err)
	}
	return p
}

// pid waits for a process of the service that is not old.
func (s *supervised) pid(old int) int {
	s.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		text, _ := os.ReadFile(s.pidFile)
		pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
		if err == nil && pid != old && syscall.Kill(pid, 0) == nil {
			return pid
		}
	}
	s.t.Fatalf("no process of the service, old %d", old)
	return 0
}

// gone waits for the end of a process.
func (s *supervised) gone(pid int) {
	s.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(s.pidFile); err != nil && syscall.Kill(pid, 0) != nil {
			return
		}
	}
	s.t.Errorf("process %d still runs, or was not asked to end", pid)
}

// check has the service run, die, come back, and end.
func (s *supervised) check(stop func()) {
	s.t.Helper()
	first := s.pid(0)
	if s.service.User != "" {
		var stat syscall.Stat_t
		if err := syscall.Stat(s.pidFile, &stat); err != nil || stat.Uid != 65534 {
			s.t.Errorf("it runs as user %d (%v), not as nobody", stat.Uid, err)
		}
	}
	if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
		s.t.Fatal(err)
	}
	second := s.pid(first)
	stop()
	s.gone(second)
	time.Sleep(1500 * time.Millisecond) // in which a supervisor would start it again
	if text, err := os.ReadFile(s.pidFile); err == nil {
		s.t.Errorf("it was started again after its end: %s", text)
	}
}

// start starts a supervisor, which ends with the test.
func (s *supervised) start(argv ...string) *exec.Cmd {
	s.t.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = 5 * time.Second
	// A group of its own, so that all of it can be ended.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		done := make(chan struct{})
		go func() { cmd.Wait(); close(done) }()
		select {
		case <-done:
		case <-time.After(patience):
		}
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-done
		if s.t.Failed() {
			s.t.Logf("%s said: %s", argv[0], out.String())
			logs, _ := filepath.Glob(s.dir + "/log-*")
			for _, file := range logs {
				text, err := os.ReadFile(file)
				s.t.Logf("%s: %s %v", file, text, err)
			}
		}
	})
	return cmd
}

func TestRunit(t *testing.T) {
	runsv, sv := tool(t, "runsv"), tool(t, "sv")
	s := newSupervised(t)
	p := s.install(Runit)
	dir := filepath.Join(s.dir, p.Links[0].Target)
	s.start(runsv, dir)
	s.check(func() { output(t, sv, "-w", "30", "stop", dir) })
	if out := output(t, sv, "status", dir); !strings.HasPrefix(out, "down:") {
		t.Errorf("status: %s", out)
	}
	output(t, sv, "-w", "30", "force-shutdown", dir)
}

func TestS6(t *testing.T) {
	svscan, svc, ctl := tool(t, "s6-svscan"), tool(t, "s6-svc"), tool(t, "s6-svscanctl")
	s := newSupervised(t)
	p := s.install(S6)
	dir := filepath.Join(s.dir, p.Links[0].Target)
	scan := filepath.Join(s.dir, "scan")
	if err := os.Mkdir(scan, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(dir, filepath.Join(scan, "gobuild-run-bot")); err != nil {
		t.Fatal(err)
	}
	s.start(svscan, scan)
	s.check(func() { output(t, svc, "-wD", "-T", "30000", "-d", dir) })
	output(t, ctl, "-t", scan)
}

func TestSupervisord(t *testing.T) {
	supervisord, ctl := tool(t, "supervisord"), tool(t, "supervisorctl")
	s := newSupervised(t)
	p := s.install(Supervisord)
	config := write(t, filepath.Join(s.dir, "supervisord.conf"), fmt.Sprintf(`[unix_http_server]
file=%[1]s/sock
[supervisord]
logfile=%[1]s/supervisord.log
pidfile=%[1]s/supervisord.pid
nodaemon=true
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://%[1]s/sock
[include]
files=%[1]s/etc/supervisor/conf.d/*.conf
`, s.dir), 0o644)
	if s.service.User == "" {
		t.Skip("the user of the program is root, and this is not root")
	}
	s.start(supervisord, "-c", config)
	s.check(func() { output(t, ctl, "-c", config, "stop", p.Service.Name) })
}

// OpenRC's own program runs the script, in a mount namespace where /run says
// that OpenRC has booted the machine.
func TestOpenRC(t *testing.T) {
	asRootOnly(t)
	openrcRun, unshare := tool(t, "openrc-run"), tool(t, "unshare")
	tool(t, "supervise-daemon")
	if out, err := exec.Command(unshare, "--mount", "--pid", "--fork", "true").CombinedOutput(); err != nil {
		t.Skipf("no namespaces of our own: %v %s", err, out)
	}
	s := newSupervised(t)
	// Without a PAM session, as in a container, Debian's supervise-daemon
	// starts nothing as another user.
	s.service.User = ""
	p := s.install(OpenRC)
	rc := filepath.Join(s.dir, p.Files[1].Path)
	text := strings.Replace(p.Files[1].Text, "respawn_delay=10", "respawn_delay=1", 1)
	write(t, rc, strings.Replace(text, "/sbin/openrc-run", openrcRun, 1), 0o755)
	// One shell for all, as /run is only there; it stops when told to.
	script := write(t, filepath.Join(s.dir, "boot"), fmt.Sprintf(`set -e
mount -t proc proc /proc
mount -t tmpfs tmpfs /run
mkdir /run/openrc
touch /run/openrc/softlevel
for dir in daemons exclusive options tmp scheduled hotplugged wasinactive started starting stopping inactive failed; do mkdir /run/openrc/$dir; done
%[1]s %[2]s --nodeps start
%[1]s %[2]s --nodeps status
while [ ! -e %[3]s/stop ]; do sleep 0.1; done
%[1]s %[2]s --nodeps stop
# With this shell, everything in its namespace would end.
i=0
while [ ! -e %[3]s/leave ] && [ "$i" -lt 3000 ]; do sleep 0.1; i=$((i + 1)); done
`, openrcRun, rc, s.dir), 0o755)
	s.start(unshare, "--mount", "--pid", "--fork", "sh", script)
	// Process ids are those of the namespace: what is written is not ours.
	waitFor(t, "a first process", func() bool { _, err := os.Stat(s.pidFile); return err == nil })
	old, _ := os.ReadFile(s.pidFile)
	for _, pid := range running(s.service.Program) {
		syscall.Kill(pid, syscall.SIGKILL)
	}
	waitFor(t, "another process", func() bool {
		text, err := os.ReadFile(s.pidFile)
		return err == nil && !bytes.Equal(text, old)
	})
	write(t, filepath.Join(s.dir, "stop"), "", 0o644)
	waitFor(t, "the end", func() bool { return len(running(s.service.Program)) == 0 })
	write(t, filepath.Join(s.dir, "leave"), "", 0o644)
}

// From installing to uninstalling with a supervisor that runs: runit, with all
// its directories moved.
func TestInstall(t *testing.T) {
	runsvdir, _ := tool(t, "runsvdir"), tool(t, "sv")
	s := newSupervised(t)
	move := strings.NewReplacer("/etc/sv", s.dir+"/sv", "/etc/service", s.dir+"/service", "/var/log/", s.dir+"/log-", "/var/lib/"+s.service.Name, s.dir+"/home")
	moved := func(service Service) Plan {
		p := mustMake(t, Runit, service)
		for i, file := range p.Files {
			p.Files[i].Path, p.Files[i].Text = move.Replace(file.Path), move.Replace(file.Text)
		}
		for i, dir := range p.Dirs {
			p.Dirs[i].Path = move.Replace(dir.Path)
		}
		for i, link := range p.Links {
			p.Links[i] = Link{move.Replace(link.Path), move.Replace(link.Target)}
		}
		for i, path := range p.Leftovers {
			p.Leftovers[i] = move.Replace(path)
		}
		for _, steps := range [][]Step{p.Enable, p.Start, p.Stop, p.Disable, p.Clean, {p.Status}} {
			for _, step := range steps {
				for i, word := range step.Argv {
					step.Argv[i] = move.Replace(word)
				}
			}
		}
		return p
	}
	p := moved(s.service)
	scan := filepath.Dir(p.Links[0].Path)
	if err := os.Mkdir(scan, 0o755); err != nil {
		t.Fatal(err)
	}
	s.start(runsvdir, scan)
	var said []string
	in := Installer{Say: func(what string) { said = append(said, what) }}

	dry := Installer{DryRun: true}
	if err := dry.Install(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(p.Files[0].Path); err == nil {
		t.Fatal("a dry run has written a file")
	}
	if _, err := in.Status(t.Context(), p); err == nil || !strings.Contains(err.Error(), "is not installed") {
		t.Errorf("status before: %v", err)
	}
	if err := in.Install(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	pid := s.pid(0)
	waitFor(t, "status", func() bool {
		line, err := in.Status(t.Context(), p)
		return err == nil && strings.Contains(line, "(pid "+strconv.Itoa(pid)+")")
	})
	for _, dir := range p.Dirs {
		var stat syscall.Stat_t
		if err := syscall.Stat(dir.Path, &stat); err != nil || s.service.User != "" && stat.Uid != 65534 {
			t.Errorf("%s: %v, user %d", dir.Path, err, stat.Uid)
		}
	}

	// What differs stays, until it is forced; then the new one runs.
	changed := s.service
	changed.Args = []string{"another argument"}
	q := moved(changed)
	if err := in.Install(t.Context(), q); err == nil || !strings.Contains(err.Error(), "+exec") {
		t.Errorf("over another file: %v", err)
	}
	if got := s.pid(0); got != pid {
		t.Error("the service was started again")
	}
	in.Force = true
	if err := in.Install(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	pid = s.pid(pid)
	in.Force = false

	stays, err := in.Uninstall(t.Context(), q)
	if err != nil {
		t.Fatalf("%v\n%s", err, strings.Join(said, "\n"))
	}
	s.gone(pid)
	if s.service.User != "" && !slices.Contains(stays, "the user nobody") {
		t.Errorf("stays: %q", stays)
	}
	for _, path := range []string{p.Files[0].Path, p.Links[0].Path} {
		if _, err := os.Lstat(path); err == nil {
			t.Errorf("%s is still there", path)
		}
	}
	if _, err := os.Stat(p.Dirs[0].Path); err != nil {
		t.Errorf("the owner's directory is gone: %v", err)
	}
	if _, err := in.Uninstall(t.Context(), q); err == nil {
		t.Error("it can be uninstalled twice")
	}
}

// A command that fails is named, with its output and what to do; so is one
// that is missing. A file that its checker refuses is not written.
func TestInstallFails(t *testing.T) {
	dir := t.TempDir()
	p := Plan{Init: Runit, Service: Service{Name: "x"}, Files: []File{{Path: filepath.Join(dir, "f"), Text: Mark, Mode: 0o640}}}
	var in Installer
	p.Enable = []Step{step("sh", "-c", "echo no luck; exit 3")}
	err := in.Install(t.Context(), p)
	if err == nil || !strings.Contains(err.Error(), "no luck") || !strings.Contains(err.Error(), "exit status 3") || hint.Of(err) == "" {
		t.Errorf("failing command: %v, %s", err, hint.Of(err))
	}
	p.Enable = []Step{optional("gobuild-no-such-tool")}
	if err := in.Install(t.Context(), p); err == nil || !strings.Contains(hint.Of(err), "seems not to run runit") {
		t.Errorf("missing command: %v, %s", err, hint.Of(err))
	}
	p.Enable = []Step{optional("false")}
	if err := in.Install(t.Context(), p); err != nil {
		t.Errorf("optional command: %v", err)
	}
	if info, err := os.Stat(p.Files[0].Path); err != nil || info.Mode() != 0o640 {
		t.Errorf("%v, %v", info, err)
	}
	q := Plan{Init: Runit, Service: Service{Name: "y"}, Files: []File{{Path: filepath.Join(dir, "g"), Text: "not for sudo", Mode: 0o440, Check: []string{"grep", "-q", "ALL"}}}}
	if err := in.Install(t.Context(), q); err == nil || !strings.Contains(err.Error(), "was not written") {
		t.Errorf("refused file: %v", err)
	}
	if _, err := os.Stat(q.Files[0].Path); err == nil {
		t.Error("a refused file was written")
	}
	if _, err := in.Uninstall(t.Context(), Plan{Init: Windows, Files: p.Files}); err == nil {
		t.Error("Windows' service is uninstalled here")
	}
}

// waitFor waits for a condition.
func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("waited in vain for %s", what)
}

// running returns the processes that run a script.
func running(script string) []int {
	var pids []int
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range files {
		text, _ := os.ReadFile(file)
		if args := strings.Split(string(text), "\x00"); len(args) > 1 && args[1] == script {
			if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// The loop of rc scripts whose system starts nothing again, in every shell.
func TestLoop(t *testing.T) {
	for _, shell := range shells() {
		t.Run(filepath.Base(shell), func(t *testing.T) {
			t.Parallel()
			s := newSupervised(t)
			s.service.User = ""
			p := s.install(RCNetBSD)
			script := filepath.Join(s.dir, p.Files[0].Path)
			text, err := os.ReadFile(script)
			if err != nil {
				t.Fatal(err)
			}
			write(t, script, strings.Replace(string(text), "sleep 10", "sleep 1", 1), 0o755)
			argv := []string{shell, script, filepath.Join(s.dir, "loop.pid")}
			if filepath.Base(shell) == "busybox" {
				argv = slices.Insert(argv, 1, "sh")
			}
			cmd := s.start(argv...)
			s.check(func() { cmd.Process.Signal(syscall.SIGTERM) })
			if _, err := os.Stat(filepath.Join(s.dir, "loop.pid")); err == nil {
				t.Error("the process id is left")
			}
		})
	}
}

// rcSubr plays the part of a BSD's rc.subr that the scripts call; it is no
// copy of it.
const rcSubr = `load_rc_config() { :; }
run_rc_command() {
	case $1 in
	start) $start_cmd ;;
	stop) $stop_cmd ;;
	status) $status_cmd ;;
	esac
}
`

// The functions of NetBSD's script, in every shell, with a stand-in for
// rc.subr.
func TestRCFunctions(t *testing.T) {
	asRootOnly(t)
	tool(t, "su")
	t.Setenv("SHELL", "/usr/sbin/nologin")
	for _, shell := range shells() {
		if filepath.Base(shell) == "busybox" {
			continue
		}
		t.Run(filepath.Base(shell), func(t *testing.T) {
			s := newSupervised(t)
			p := s.install(RCNetBSD)
			subr := write(t, filepath.Join(s.dir, "rc.subr"), rcSubr, 0o644)
			rc := filepath.Join(s.dir, p.Files[1].Path)
			text := strings.ReplaceAll(p.Files[1].Text, "/etc/rc.subr", subr)
			write(t, rc, strings.ReplaceAll(text, "/var/run/", s.dir+"/run-"), 0o755)
			call := func(verb string) (string, error) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				cmd := exec.CommandContext(ctx, shell, rc, verb)
				cmd.WaitDelay = time.Second // what it starts keeps the pipe
				out, err := cmd.CombinedOutput()
				if err == exec.ErrWaitDelay {
					err = nil
				}
				return string(out), err
			}
			if out, err := call("status"); err == nil {
				t.Errorf("status before the start: %s", out)
			}
			if out, err := call("start"); err != nil {
				t.Fatalf("start: %v\n%s", err, out)
			}
			pid := s.pid(0)
			waitFor(t, "status", func() bool { _, err := call("status"); return err == nil })
			if out, err := call("start"); err != nil || !strings.Contains(out, "is running as pid") {
				t.Errorf("a second start: %v, %s", err, out)
			}
			if out, err := call("stop"); err != nil {
				t.Errorf("stop: %v\n%s", err, out)
			}
			s.gone(pid)
			if out, err := call("status"); err == nil {
				t.Errorf("status after the end: %s", out)
			}
		})
	}
}

// Cron's script starts what does not run, once, and ends it, whatever the
// shell of whoever calls it.
func TestCronScript(t *testing.T) {
	t.Setenv("SHELL", "/usr/sbin/nologin")
	for _, user := range []string{"", "nobody"} {
		t.Run("of "+user, func(t *testing.T) {
			s := newSupervised(t)
			if user != "" {
				asRootOnly(t)
			}
			s.service.User = user
			p := s.install(Cron)
			script := filepath.Join(s.dir, p.Files[0].Path)
			s.start(asUser(user, script)...)
			pid := s.pid(0)
			output(t, asUser(user, script)...) // ends at once
			if again := s.pid(0); again != pid {
				t.Errorf("process %d took the place of %d", again, pid)
			}
			// Whoever asks need not know whose it is.
			if out := output(t, "/bin/sh", script, "status"); !strings.Contains(out, strconv.Itoa(pid)) {
				t.Errorf("status: %s", out)
			}
			output(t, "/bin/sh", script, "stop")
			if _, err := os.Stat(s.pidFile); err == nil {
				t.Error("it was not asked to end")
			}
			if out, err := exec.Command("/bin/sh", script, "status").CombinedOutput(); err == nil {
				t.Errorf("status after the end: %s", out)
			}
		})
	}
}

// asUser is a command line that runs a script as cron does.
func asUser(user, script string) []string {
	if user == "" {
		return []string{"/bin/sh", script}
	}
	return []string{"su", "-s", "/bin/sh", user, "-c", "exec /bin/sh " + script}
}

// crontab reads the lines; it knows no column for the user.
func TestCrontab(t *testing.T) {
	crontab := tool(t, "crontab")
	for name, s := range map[string]Service{"worker": hard(Cron), "tokend": {Name: "gobuild-tokend", Program: "/bin/true", Once: []string{"--once"}, Description: "Token"}} {
		t.Run(name, func(t *testing.T) {
			text := fileOf(t, mustMake(t, Cron, s), "/cron.d/"+s.Name)
			user := s.User
			if user == "" {
				user = "root"
			}
			n := strings.Count(text, " "+user+" /")
			if want := map[string]int{"worker": 2, "tokend": 1}[name]; n != want {
				t.Errorf("%d lines with a user, not %d:\n%s", n, want, text)
			}
			file := write(t, filepath.Join(t.TempDir(), "tab"), strings.ReplaceAll(text, " "+user+" /", " /"), 0o644)
			output(t, crontab, "-n", file)
		})
	}
}

func TestVisudo(t *testing.T) {
	visudo := tool(t, "visudo")
	s := hard(Systemd)
	s.AllowReboot = true
	for _, system := range []Init{Systemd, SMF, RCFreeBSD} {
		file := write(t, filepath.Join(t.TempDir(), "rule"), fileOf(t, mustMake(t, system, s), "sudoers.d/gobuild-run-bot"), 0o440)
		output(t, visudo, "-c", "-f", file)
	}
}

// sudo, told of the rule, lets the user reboot, and do nothing else.
func TestSudo(t *testing.T) {
	asRootOnly(t)
	cvt := tool(t, "cvtsudoers")
	s := hard(Systemd)
	s.AllowReboot = true
	file := write(t, filepath.Join(t.TempDir(), "rule"), fileOf(t, mustMake(t, Systemd, s), "sudoers.d/gobuild-run-bot"), 0o440)
	out := output(t, cvt, "-f", "json", file)
	if n := strings.Count(out, `"command":`); n != 1 || !strings.Contains(out, `"command": "/sbin/shutdown -r now"`) {
		t.Errorf("sudo allows:\n%s", out)
	}
	if !strings.Contains(out, `"authenticate": false`) {
		t.Errorf("sudo asks for a password:\n%s", out)
	}
}

// Every script is sh's, and no more than that.
func TestScriptsParse(t *testing.T) {
	bashisms, _ := exec.LookPath("checkbashisms")
	s := hard(OpenRC)
	// checkbashisms looks into quotes, too.
	s.Args, s.Env = []string{"run-bot", "two words"}, []string{"A=b c"}
	tokend := Service{Name: "gobuild-tokend", Program: "/bin/true", Once: []string{"--once"}, Description: "Token", Shared: []string{"/var/lib/x"}}
	for _, system := range Inits() {
		if system == Windows {
			continue
		}
		for _, service := range []Service{s, tokend} {
			for _, file := range mustMake(t, system, service).Files {
				first, _, _ := strings.Cut(file.Text, "\n")
				switch first {
				case "#!/bin/sh", "#!/bin/ksh", "#!/sbin/openrc-run":
				default:
					continue
				}
				path := write(t, filepath.Join(t.TempDir(), filepath.Base(file.Path)), file.Text, 0o755)
				for _, shell := range shells() {
					if filepath.Base(shell) == "busybox" {
						output(t, shell, "sh", "-n", path)
						continue
					}
					output(t, shell, "-n", path)
				}
				if bashisms != "" && first != "#!/bin/ksh" {
					output(t, bashisms, "--force", path)
				}
			}
		}
	}
}

// The property list is well-formed, and means what it should.
func TestPropertyList(t *testing.T) {
	s := hard(Launchd)
	text := fileOf(t, mustMake(t, Launchd, s), ".plist")
	file := write(t, filepath.Join(t.TempDir(), "x.plist"), text, 0o644)
	output(t, tool(t, "xmllint"), "--noout", "--nonet", file)
	output(t, tool(t, "plistutil"), "-i", file, "-o", filepath.Join(t.TempDir(), "x.bin"), "-f", "bin")
	out := output(t, tool(t, "python3"), "-c", `import plistlib, sys
p = plistlib.load(open(sys.argv[1], "rb"))
for word in p["ProgramArguments"] + [p["EnvironmentVariables"]["V%d" % i] for i in range(int(sys.argv[2]))]:
    sys.stdout.buffer.write(word.encode() + b"\0")
assert p["UserName"] == "gobuild-run-bot" and p["KeepAlive"] is True and p["ExitTimeOut"] == 90, p`, file, strconv.Itoa(len(hardWords(Launchd))))
	got := strings.Split(strings.TrimSuffix(out, "\x00"), "\x00")
	if want := slices.Concat([]string{s.Program}, s.Args, hardWords(Launchd)); !slices.Equal(got, want) {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
}

// The manifest is well-formed, and has the elements of service_bundle(5) in
// their order.
func TestManifest(t *testing.T) {
	text := fileOf(t, mustMake(t, SMF, hard(SMF)), ".xml")
	if xmllint, err := exec.LookPath("xmllint"); err == nil {
		output(t, xmllint, "--noout", "--nonet", write(t, filepath.Join(t.TempDir(), "x.xml"), text, 0o644))
	}
	var order []string
	decoder := xml.NewDecoder(strings.NewReader(text))
	depth := 0
	for {
		token, err := decoder.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			if depth == 2 && (len(order) == 0 || order[len(order)-1] != token.Name.Local) {
				order = append(order, token.Name.Local)
			}
			depth++
		case xml.EndElement:
			depth--
		}
	}
	// The DTD: create_default_instance?, single_instance?, restarter?,
	// dependency*, dependent*, method_context?, exec_method*, notification*,
	// property_group*, instance*, stability?, template?
	want := []string{"dependency", "exec_method", "property_group", "instance", "stability", "template"}
	if !slices.Equal(order, want) {
		t.Errorf("elements %q, want %q", order, want)
	}
}

// What fails as a matter of course is not told; what may fail is.
func TestQuietSteps(t *testing.T) {
	fails := tool(t, "false")
	var said []string
	in := Installer{Say: func(line string) { said = append(said, line) }}
	if err := in.steps(t.Context(), Plan{}, []Step{quiet(fails, "1"), optional(fails, "2")}); err != nil {
		t.Fatal(err)
	}
	want := []string{"run " + fails + " 1", "run " + fails + " 2", fails + " 2: exit status 1; that may be all right"}
	if !slices.Equal(said, want) {
		t.Errorf("said %q", said)
	}
	if err := in.steps(t.Context(), Plan{}, []Step{step(fails)}); err == nil {
		t.Error("a step that has to succeed may fail")
	}
}
