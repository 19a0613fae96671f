package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"gobuild/pkg/account"
	"gobuild/pkg/account/accounttest"
	"gobuild/pkg/api"
	"gobuild/pkg/builderkey"
	"gobuild/pkg/supervise"
)

// apartFarm is a coordinator, and what a run-bot with --user needs: all of
// root's.
type apartFarm struct {
	*realFarm
	dir          string // that everybody can look into
	key, program string // files
	who          account.Account
}

func newApartFarm(t *testing.T) *apartFarm {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can start a buildlet that becomes another user")
	}
	who, err := account.LookUp(ordinary)
	if err != nil {
		t.Skip(err)
	}
	f := &apartFarm{realFarm: newFarm(t), dir: accounttest.OpenDir(t), who: who}
	f.realFarm.dir = filepath.Join(f.dir, "bot")
	f.key, f.program = filepath.Join(f.dir, "builder.key"), filepath.Join(f.dir, "gobuild")
	if err := os.WriteFile(f.key, []byte(builderkey.DevMaster().Key(farmHostType)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	accounttest.CopyProgram(t, f.program)
	return f
}

// line is the command line of run-bot.
func (f *apartFarm) line(more ...string) []string {
	return append([]string{"run-bot", "--host-type", farmHostType, "--hostname", farmHost, "--coordinator", f.url, "--ca-file", f.ca,
		"--key-file", f.key, "--user", ordinary, "--workdir", f.realFarm.dir, "--env", "PROBE=a b", "--env", "LD_PRELOAD=/nosuch.so",
		"--retry-min=10ms", "--retry-max=100ms", "--retry-budget=0", "--settle=10ms", "--min-free-disk=0"}, more...)
}

// startBot starts run-bot with those rights of root's that its systemd unit
// gives it, if there is a program that can do so.
func (f *apartFarm) startBot() {
	f.t.Helper()
	setpriv, err := exec.LookPath("setpriv")
	if err != nil {
		f.bot = f.startProgram(f.program, f.line()...)
		return
	}
	text, code := f.run("service", "print", "--init=systemd", "--apart", "--host-type", farmHostType, "--coordinator", f.url, "--key-file", f.key)
	found := regexp.MustCompile(`(?m)^CapabilityBoundingSet=(CAP_.*)$`).FindStringSubmatch(text)
	if code != 0 || found == nil || !strings.Contains(text, "\nNoNewPrivileges=true\n") {
		f.t.Fatalf("service print: %d, %s", code, text)
	}
	caps := "-all"
	for _, name := range strings.Fields(found[1]) {
		caps += ",+" + strings.ToLower(strings.TrimPrefix(name, "CAP_"))
	}
	f.bot = f.startProgram(setpriv, append([]string{"--no-new-privs", "--inh-caps=-all", "--bounding-set=" + caps, f.program}, f.line()...)...)
}

// What is built runs as another user, who can work and nothing else: not read
// the builder key, in its file or in the buildlet's memory, nor give orders to
// run-bot, nor change what root runs.
func TestFarmApart(t *testing.T) {
	f := newApartFarm(t)
	// What root has left in the work directory is in nobody's way.
	if err := os.MkdirAll(filepath.Join(f.realFarm.dir, "work", "gocache", "00"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(f.realFarm.dir, "lock"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f.openCoordinator()
	f.startBot()
	f.awaitState(api.HostIdle)

	buildlet := f.buildletPid()
	if uid := numberField(t, buildlet, "Uid"); uid != f.who.UID {
		t.Errorf("the buildlet runs as user %d, want %d", uid, f.who.UID)
	}
	if groups := procField(t, buildlet, "Groups"); strings.Join(groups, " ") == "0" {
		t.Errorf("the buildlet has the groups %v", groups)
	}
	var out lockedBuffer
	script := `refused() { "$@" >/dev/null 2>&1 && echo "FAULT: $*"; }
echo "user=$(id -un) home=$HOME uid=$(id -u)/$(id -ru)"
echo "kept=$(env | grep -o -e '^GOBUILD[^=]*' -e '^SUDO[^=]*' -e '^XDG[^=]*')"
refused cat ` + f.key + `
refused cat /proc/$PPID/environ
refused dd if=/proc/$PPID/mem bs=1 count=1
refused ls -l /proc/$PPID/fd/
refused kill -9 ` + strconv.Itoa(f.bot.cmd.Process.Pid) + `
refused ls ` + f.realFarm.dir + `/state
refused touch ` + f.realFarm.dir + `/any
refused mv ` + f.realFarm.dir + `/work ` + f.realFarm.dir + `/other
refused touch ` + f.program + `
refused flock -n ` + f.realFarm.dir + `/lock true
echo "given=$PROBE,$LD_PRELOAD"
echo "session=$(cut -d' ' -f6 /proc/$PPID/stat)"
refused ` + f.program + ` pause --for 1h --workdir ` + f.realFarm.dir + `
echo "$GOCACHE $TMPDIR" | tr ' ' '\n' | while read d; do mkdir -p "$d" && echo x >"$d/probe" || echo "FAULT: $d"; done
chmod 000 "$WORKDIR"; chmod 755 "$WORKDIR"
mkdir -p readonly/deep && echo x >readonly/deep/file && chmod 555 readonly/deep readonly
echo finished`
	s, done := f.begin(script, &out)
	if err := <-done; err != nil {
		t.Errorf("the build: %v", err)
	}
	text := regexp.MustCompile(`(?m)^.*from LD_PRELOAD.*\n`).ReplaceAllString(out.String(), "") // the loader's
	if strings.Contains(text, "FAULT") || !strings.HasSuffix(text, "finished\n") {
		t.Errorf("the build could do what it must not, or not what it must:\n%s", text)
	}
	if want := fmt.Sprintf("user=%s home=%s uid=%d/%[3]d\nkept=GOBUILD_EXEC_ID\n", f.who.Name, f.who.Home, f.who.UID); !strings.HasPrefix(text, want) {
		t.Errorf("the build ran as\n%s\nwant\n%s", text, want)
	}
	if !strings.Contains(text, "given=a b,/nosuch.so\n") {
		t.Errorf("the build was not given what is for builds:\n%s", text)
	}
	if strings.Contains(f.bot.out.String(), "LD_PRELOAD") { // as the loader says
		t.Error("what is for builds was for the part that is root, too")
	}
	if strings.Contains(text, "session="+sessionOf(t, f.bot.cmd.Process.Pid)+"\n") {
		t.Error("the build is in the session of run-bot, and has its terminal")
	}
	if err := f.client.Destroy(t.Context(), s.Instance().ID); err != nil {
		t.Error(err)
	}
	f.awaitState(api.HostIdle)

	// It survives kills, of either half.
	if err := syscall.Kill(f.buildletPid(), syscall.SIGKILL); err != nil {
		t.Error(err)
	}
	if err := os.Chmod(filepath.Join(f.realFarm.dir, "work"), 0); err != nil {
		t.Error(err)
	}
	f.await("another buildlet", func() bool { pid := f.buildletPid(); return pid != 0 && pid != buildlet })
	f.awaitState(api.HostIdle)
	_, done = f.begin(f.build("sleep 1000"), &out)
	f.awaitState(api.HostWorking)
	f.bot.kill()
	<-done
	f.startBot()
	f.awaitState(api.HostIdle)
	f.noBuild("after a kill of run-bot")
	s, done = f.begin("test ! -e readonly && echo gone", &out)
	if err := <-done; err != nil || !strings.HasSuffix(out.String(), "gone\n") {
		t.Errorf("what a build has left is there after a new start: %v", err)
	}
	if err := f.client.Destroy(t.Context(), s.Instance().ID); err != nil {
		t.Error(err)
	}

	// The owner gives his orders as root.
	if text, code := f.run("drain", "--wait", "--workdir", f.realFarm.dir); code != 0 {
		t.Errorf("drain: %d, %s", code, text)
	}
	f.botEnds()
	if key := builderkey.DevMaster().Key(farmHostType); strings.Contains(f.bot.out.String(), key) {
		t.Error("the log has the builder key in it")
	}
	if left := supervise.Marked("FARM_TEST_MARK=" + f.mark()); len(left) > 1 { // the coordinator
		t.Errorf("processes %v are left", left)
	}
}

// sessionOf returns the number of the session of a process.
func sessionOf(t *testing.T, pid int) string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	fields := strings.Fields(string(text))
	if err != nil || len(fields) < 6 {
		t.Fatalf("%v: %q", err, text)
	}
	return fields[5]
}

// Run-bot does not start where privileges would not be apart, and says why.
func TestFarmApartRefused(t *testing.T) {
	f := newApartFarm(t)
	f.openCoordinator() // for its certificate
	other, err := user.Lookup("daemon")
	if err != nil {
		t.Skip(err)
	}
	daemon, _ := strconv.Atoi(other.Uid)
	write := func(file string, mode os.FileMode, uid int) string {
		t.Helper()
		file = filepath.Join(f.dir, file)
		if err := errors.Join(os.WriteFile(file, []byte(builderkey.DevMaster().Key(farmHostType)), mode), os.Chmod(file, mode), os.Chown(file, uid, 0)); err != nil {
			t.Fatal(err)
		}
		return file
	}
	mkdir := func(dir string, mode os.FileMode, uid int) string {
		t.Helper()
		dir = filepath.Join(f.dir, dir)
		if err := errors.Join(os.MkdirAll(dir, 0o755), os.Chmod(dir, mode), os.Chown(dir, uid, 0)); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	theirs := mkdir("theirs", 0o755, int(f.who.UID))
	theirProgram := filepath.Join(theirs, "gobuild")
	accounttest.CopyProgram(t, theirProgram)
	theirFile := filepath.Join(theirs, "file")
	kept := mkdir("kept", 0o755, 0)
	mkdir("kept/state", 0o700, int(f.who.UID))
	if err := errors.Join(os.WriteFile(theirFile, nil, 0o644), os.Symlink(theirProgram, filepath.Join(f.dir, "link")),
		os.Symlink(f.dir, filepath.Join(theirs, "link")), os.WriteFile(filepath.Join(kept, "lock"), nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name    string
		program string
		args    []string
		env     string
		as      *account.Account
		want    string
	}{
		{name: "key for all", args: []string{"--key-file", write("open.key", 0o644, 0)}, want: "can read the builder key .*open.key: its mode is 0644.*\n.*chmod 600"},
		{name: "key of that user", args: []string{"--key-file", write("own.key", 0o600, int(f.who.UID))}, want: "can read the builder key .*own.key: it is that user's"},
		{name: "no key", args: []string{"--key-file", ""}, want: "no builder key of " + farmHostType},
		{name: "root", args: []string{"--user", "root"}, want: "user root is root, and so would be all that is built"},
		{name: "unknown", args: []string{"--user", "nosuchuser"}, want: "--user nosuchuser: .*unknown user.*\n.*useradd"},
		{name: "work directory of that user", args: []string{"--workdir", filepath.Join(theirs, "bot")}, want: "can change what lies in .*theirs"},
		{name: "work directory of everybody", args: []string{"--workdir", filepath.Join(mkdir("shared", 0o777, daemon), "bot")}, want: "can change what lies in .*shared"},
		{name: "closed work directory", args: []string{"--workdir", filepath.Join(mkdir("closed", 0o700, 0), "bot")}, want: "cannot get at the work directory .*: .*closed is closed"},
		{name: "program of that user", program: theirProgram, want: "can change .*theirs, and so .*theirs/gobuild, by which root goes"},
		{name: "buildlet of that user", args: []string{"--buildlet", theirProgram}, want: "can change .*theirs, and so .*theirs/gobuild"},
		{name: "buildlet by a link", args: []string{"--buildlet", filepath.Join(f.dir, "link")}, want: "can change .*theirs, and so .*/link"},
		{name: "work directory by a link", args: []string{"--workdir", filepath.Join(theirs, "link", "new")}, want: "can change what lies in .*theirs, where"},
		{name: "state of that user", args: []string{"--workdir", kept}, want: "can change .*kept/state, or has made it"},
		{name: "configuration of that user", args: []string{"--config", theirFile}, want: "and so .*theirs/file, by which root goes"},
		{name: "variables of that user", args: []string{"--env-file", theirFile}, want: "and so .*theirs/file, by which root goes"},
		{name: "CA of that user", args: []string{"--ca-file", "CA"}, want: "and so .*theirs/ca.pem, by which root goes"},
		{name: "log beside that user's", args: []string{"--log-file", filepath.Join(theirs, "log")}, want: "and so .*theirs/log, by which root goes"},
		{name: "log in a directory of everybody", args: []string{"--log-file", filepath.Join(mkdir("sticky", 0o777|os.ModeSticky, 0), "log")}, want: "can change .*sticky, and so"},
		{name: "unsigned", args: []string{"--update-url", "auto", "--allow-unsigned"}, want: "root would start what nobody has signed"},
		{name: "not root", as: &f.who, want: "only root can start a buildlet that becomes another user"},
		{name: "key that goes", env: "GO_BUILD_KEY_DELETE_AFTER_READ=1", args: []string{"--user", ""}, want: "would find its key the first time only"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			program := f.program
			if i := slices.Index(tt.args, "CA"); i >= 0 {
				tt.args[i] = filepath.Join(theirs, "ca.pem")
				text, err := os.ReadFile(f.ca)
				if err == nil {
					err = os.WriteFile(tt.args[i], text, 0o644)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			if tt.program != "" {
				program = tt.program
			}
			cmd := exec.Command(program, append(f.line("--once", "--ca-file="), tt.args...)...)
			cmd.Dir, cmd.Env = "/", f.env
			if tt.env != "" {
				cmd.Env = append(f.env, tt.env)
			}
			if tt.as != nil {
				cmd.Env = append(f.env, "HOME=/", "XDG_CONFIG_HOME=/", "XDG_CACHE_HOME=/")
				tt.as.Run(cmd)
			}
			out, err := cmd.CombinedOutput()
			if err == nil || !regexp.MustCompile(tt.want).Match(out) {
				t.Errorf("run-bot ended with %v and said\n%s\nwant %q", err, out, tt.want)
			}
			for _, file := range []string{filepath.Join(theirs, "bot"), filepath.Join(theirs, "log"), filepath.Join(f.dir, "new")} {
				if _, err := os.Lstat(file); err == nil {
					t.Errorf("it has made %s first", file)
				}
			}
		})
	}
}
