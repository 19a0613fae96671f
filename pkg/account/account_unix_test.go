//go:build unix

package account

import (
	"errors"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gobuild/pkg/account/accounttest"
)

// ordinary is a user that every machine has and that owns nothing.
const ordinary = "nobody"

func lookUp(t *testing.T) Account {
	t.Helper()
	a, err := LookUp(ordinary)
	if err != nil {
		t.Skip(err)
	}
	return a
}

func TestLookUp(t *testing.T) {
	a := lookUp(t)
	u, err := user.Lookup(ordinary)
	if err != nil {
		t.Fatal(err)
	}
	if strconv.Itoa(int(a.UID)) != u.Uid || strconv.Itoa(int(a.Groups[0])) != u.Gid || a.Home != u.HomeDir || a.Name != ordinary {
		t.Errorf("got %+v, want %+v", a, u)
	}
	if _, err := LookUp("no-such-user"); err == nil {
		t.Error("a user that is not there was found")
	}
}

func TestEnviron(t *testing.T) {
	a := Account{Name: "joe", Home: "/home/joe"}
	got := a.Environ([]string{"PATH=/root/bin:/bin", "HOME=/root", "GOPATH=/root/go", "SSH_AUTH_SOCK=/tmp/s", "X=/rooted", "USER=root", "SUDO_USER=x", "XDG_CACHE_HOME=/root/.cache", "GOBUILD_KEY_FILE=/k", "HTTPS_PROXY=p", "MAIL=/m"})
	want := []string{"HOME=/home/joe", "USER=joe", "LOGNAME=joe", "PATH=/root/bin:/bin", "X=/rooted", "HTTPS_PROXY=p"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// What an Account says of a file is what the kernel says when that user tries.
func TestRights(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can try as another user")
	}
	a := lookUp(t)
	top := accounttest.OpenDir(t)
	tries := func(script, file string) bool {
		cmd := exec.Command("/bin/sh", "-c", script, "sh", file)
		cmd.Dir = "/"
		a.Run(cmd)
		return cmd.Run() == nil
	}
	n := 0
	for _, dirMode := range []os.FileMode{0o755, 0o711, 0o700, 0o777, 0o777 | os.ModeSticky, 0o750, 0o775} {
		for _, dirOwner := range [][2]int{{0, 0}, {int(a.UID), 0}, {0, int(a.Groups[0])}} {
			for _, mode := range []os.FileMode{0o644, 0o600, 0o640, 0o604, 0o444} {
				for _, owner := range [][2]int{{0, 0}, {int(a.UID), 0}, {0, int(a.Groups[0])}} {
					n++
					dir := filepath.Join(top, strconv.Itoa(n))
					file := filepath.Join(dir, "file")
					err := errors.Join(os.Mkdir(dir, 0o755), os.WriteFile(file, []byte("x"), 0o600),
						os.Chown(file, owner[0], owner[1]), os.Chmod(file, mode),
						os.Chown(dir, dirOwner[0], dirOwner[1]), os.Chmod(dir, dirMode))
					if err != nil {
						t.Fatal(err)
					}
					about := func() string {
						return "directory " + dirMode.String() + " of " + strconv.Itoa(dirOwner[0]) + ":" + strconv.Itoa(dirOwner[1]) +
							", file " + mode.String() + " of " + strconv.Itoa(owner[0]) + ":" + strconv.Itoa(owner[1])
					}
					passes := tries(`test -e "$1"`, file)
					if closed := a.Closed(file); (closed == "") != passes || closed != "" && closed != dir {
						t.Errorf("%s: Closed %q, but passing it works: %v", about(), closed, passes)
					}
					// Its owner could give himself the right.
					if _, reads := a.Reads(file); reads != (tries(`cat "$1"`, file) || owner[0] == int(a.UID)) {
						t.Errorf("%s: Reads %v", about(), reads)
					}
					replaces := a.Replaces(file)
					can := tries(`mv "$1" "$1.old" && touch "$1"`, file) || dirOwner[0] == int(a.UID)
					if (replaces != "") != can {
						t.Errorf("%s: Replaces %q, but it works: %v", about(), replaces, can)
					}
					if changes := a.Changes(file); (changes != "") != (can || owner[0] == int(a.UID) || tries(`: >>"$1"`, file)) && passes {
						t.Errorf("%s: Changes %q", about(), changes)
					}
				}
			}
		}
	}
}

// Links on the way are followed, one by one.
func TestReplacesByLinks(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can make what is another user's")
	}
	a := lookUp(t)
	top := accounttest.OpenDir(t)
	at := func(name string) string { return filepath.Join(top, name) }
	for _, dir := range []string{"roots/deep", "theirs/deep", "sticky"} {
		if err := os.MkdirAll(at(dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	link := func(target, name string) {
		t.Helper()
		if err := os.Symlink(target, at(name)); err != nil {
			t.Fatal(err)
		}
	}
	link(at("roots"), "theirs/link")
	link(at("roots"), "sticky/roots")
	link(at("roots"), "sticky/theirs")
	link("../theirs/link", "roots/round")
	link("..", "roots/up")
	link("circle", "circle")
	err := errors.Join(os.Chown(at("theirs"), int(a.UID), 0), os.Chmod(at("sticky"), 0o777|os.ModeSticky), os.Lchown(at("sticky/theirs"), int(a.UID), 0))
	if err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{
		"roots/deep/file":        "",
		"roots/none/file":        "",
		"theirs/deep/file":       "theirs",
		"theirs/link":            "theirs",
		"theirs/link/deep/file":  "theirs",
		"roots/round/deep/file":  "theirs",
		"roots/up/roots/deep":    "",
		"roots/up/theirs/deep":   "theirs",
		"sticky/roots/deep/file": "",
		"sticky/theirs/deep":     "sticky",
		"sticky/none/file":       "sticky",
		"circle/file":            "",
	} {
		if want != "" {
			want = at(want)
		}
		if got := a.Replaces(at(file)); got != want {
			t.Errorf("%s: %q, want %q", file, got, want)
		}
	}
}

// becomeVariable has the test program become another user, and say what it can
// do then.
const becomeVariable = "ACCOUNT_TEST_BECOME"

func TestMain(m *testing.M) {
	if os.Getenv(becomeVariable) == "" {
		os.Exit(m.Run())
	}
	a, err := LookUp(ordinary)
	if err == nil {
		err = a.Become()
	}
	if err != nil {
		os.Stdout.WriteString(err.Error())
		os.Exit(1)
	}
	groups, _ := os.Getgroups()
	os.Stdout.WriteString(strconv.Itoa(os.Getuid()) + " " + strconv.Itoa(os.Geteuid()) + " " + strconv.Itoa(os.Getegid()) + " " + strconv.Itoa(len(groups)) + "\n")
	buf := make([]byte, 1)
	os.Stdin.Read(buf) // until the test has looked
	os.Exit(0)
}

// A process that becomes another user is that on all of its threads, and shows
// its memory and environment to no other process of that user.
func TestBecome(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user")
	}
	a := lookUp(t)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), becomeVariable+"=1")
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer in.Close()
	buf := make([]byte, 1000)
	n, _ := out.Read(buf)
	want := []string{strconv.Itoa(int(a.UID)), strconv.Itoa(int(a.UID)), strconv.Itoa(int(a.Groups[0])), strconv.Itoa(len(a.Groups))}
	if got := strings.Fields(string(buf[:n])); !slices.Equal(got, want) {
		t.Fatalf("it says %q, want %q", buf[:n], want)
	}
	if _, err := os.Stat("/proc/self/task"); err != nil {
		return // another system
	}
	proc := "/proc/" + strconv.Itoa(cmd.Process.Pid)
	tasks, err := filepath.Glob(proc + "/task/*/status")
	if err != nil || len(tasks) < 2 {
		t.Fatalf("threads %v, %v", tasks, err)
	}
	for _, task := range tasks {
		text, err := os.ReadFile(task)
		uid := strings.Repeat("\t"+want[0], 4)
		if err != nil || !strings.Contains(string(text), "\nUid:"+uid+"\n") {
			t.Errorf("%s: not of that user: %v", task, err)
		}
	}
	for _, file := range []string{"environ", "mem", "maps"} {
		cat := exec.Command("cat", proc+"/"+file)
		cat.Dir = "/"
		a.Run(cat)
		if text, err := cat.CombinedOutput(); err == nil || !strings.Contains(string(text), "ermission denied") {
			t.Errorf("another process of that user reads %s: %v, %.200q", file, err, text)
		}
	}
}

func TestBecomeRefused(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can start a program as another user")
	}
	a := lookUp(t)
	if _, err := os.Stat("/proc/self/exe"); err != nil {
		t.Skip(err)
	}
	exe := filepath.Join(accounttest.OpenDir(t), "program")
	accounttest.CopyProgram(t, exe)
	cmd := exec.Command(exe)
	cmd.Dir, cmd.Env = "/", []string{becomeVariable + "=1"}
	a.Run(cmd)
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "become user nobody: set the groups: operation not permitted") {
		t.Errorf("%v, %q", err, out)
	}
}
