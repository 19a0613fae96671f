//go:build unix

package machinetoken

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"gobuild/pkg/hint"
)

// The token file can be read by the bot's user and nothing else of the
// daemon's can be written by others, whatever the umask is.
func TestModes(t *testing.T) {
	f := newFarm(t)
	defer syscall.Umask(syscall.Umask(0o077))
	if r := f.once(f.daemon()); r.Err != nil {
		t.Fatal(r.Err)
	}
	for name, want := range map[string]os.FileMode{"token.json": 0o644, "status.json": 0o644, "token.json.lock": 0o600, "bot.key": 0o600} {
		if info, err := os.Stat(f.path(name)); err != nil || info.Mode() != want {
			t.Errorf("%s: mode %v, %v; want %v", name, info.Mode(), err, want)
		}
	}
	syscall.Umask(0)
	d := f.daemon()
	d.Force = true
	d.TokenFile = f.path("new.json")
	if r := f.once(d); r.Err != nil {
		t.Fatal(r.Err)
	}
	if info, err := os.Stat(f.path("new.json.lock")); err != nil || info.Mode() != 0o600 {
		t.Errorf("lock without a umask: mode %v, %v", info.Mode(), err)
	}
}

// A token file of another user is replaced where that is allowed, with a word
// about it; where it is not, the error names the owner.
func TestOwnedByAnother(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can give files away")
	}
	f := newFarm(t)
	f.write("token.json", []byte("{}"), 0o600)
	if err := os.Chown(f.path("token.json"), 12345, 12345); err != nil {
		t.Fatal(err)
	}
	r := f.once(f.daemon())
	if r.Err != nil || len(r.Notes) != 1 || !strings.Contains(r.Notes[0].Text, "belongs to user 12345") {
		t.Errorf("%+v", r)
	}

	// As another user, in a directory of root's.
	program := filepath.Join(t.TempDir(), "test")
	data, err := os.ReadFile(os.Args[0])
	if err == nil {
		err = os.WriteFile(program, data, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{filepath.Dir(filepath.Dir(program)), filepath.Dir(program), f.dir} {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), "TEST_SAVE_UNTIL_KILLED="+f.path("token.json"))
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 12345, Gid: 12345}}
	old := f.read("token.json")
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "permission denied") || !strings.Contains(string(out), "belongs to root") {
		t.Errorf("%v: %s", err, out)
	}
	if f.read("token.json") != old {
		t.Error("the token file was changed")
	}
}

// A lock that belongs to another says so.
func TestLockOfAnother(t *testing.T) {
	dir := t.TempDir()
	token := filepath.Join(dir, "token.json")
	err := explainLock(&os.PathError{Op: "open", Path: lockFile(token), Err: syscall.EACCES}, token)
	if !strings.Contains(hint.Of(err), "mostly root") {
		t.Errorf("%v, hint %q", err, hint.Of(err))
	}
}
