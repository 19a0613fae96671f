package buildlet

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// What has thrown off its mark, and so outlives its command, is found by its
// directory at the end of the instance, and reported.
func TestStraysAreSwept(t *testing.T) {
	s := serve(t, Options{})
	c := s.client()
	if err := c.Claim(t.Context(), "joe-x-0"); err != nil {
		t.Fatal(err)
	}
	out, state := s.sh("mkdir d; cd d; env -i setsid sleep 600 >/dev/null 2>&1 & echo $!; cp $(command -v sleep) own-sleep; cd /; env -i setsid $WORKDIR/d/own-sleep 600 >/dev/null 2>&1 & sleep 0.3")
	if !state.OK() {
		t.Fatalf("%+v: %s", state, out)
	}
	// One that is none of ours: it only has a file of the work directory open.
	other := exec.Command("sleep", "600")
	other.Dir = s.dir
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		other.Process.Kill()
		other.Wait()
	}()
	rel, err := c.Release(t.Context(), "joe-x-0")
	if err != nil {
		t.Fatal(err)
	}
	var commands []string
	for _, st := range rel.Strays {
		commands = append(commands, st.Command)
		if st.Lives || alive(st.PID) {
			t.Errorf("%+v lives on", st)
		}
	}
	slices.Sort(commands)
	if got := strings.Join(commands, " "); got != "own-sleep sleep" {
		t.Errorf("strays %q, want own-sleep and sleep", got)
	}
	if !alive(other.Process.Pid) {
		t.Error("a process beside the work directory was killed")
	}
	if n := s.Report().Strays; n != len(rel.Strays) {
		t.Errorf("%d strays are reported", n)
	}
	if rel, err := c.Release(t.Context(), "joe-x-0"); err != nil || len(rel.Strays) != 0 {
		t.Errorf("a second release: %+v, %v", rel, err)
	}
}

// A release ends the commands that still run.
func TestReleaseEndsCommands(t *testing.T) {
	s := serve(t, Options{})
	running := make(chan struct{})
	ended := make(chan error, 1)
	go func() {
		_, err := s.client().Exec(t.Context(), "sleep", ExecOptions{SystemLevel: true, Args: []string{"600"}, OnStart: func() { close(running) }})
		ended <- err
	}()
	<-running
	await(t, "it is there", func() bool { return len(s.inWorkDir()) > 0 })
	if _, err := s.client().Release(t.Context(), "x"); err != nil {
		t.Error(err)
	}
	if err := <-ended; err == nil {
		t.Error("the command ended well")
	}
	if _, state := s.sh("true"); !state.OK() {
		t.Errorf("a command afterwards: %+v", state)
	}
}

func TestFamily(t *testing.T) {
	family := familyOf(os.Getpid())
	if !family[os.Getpid()] || !family[os.Getppid()] || family[0] {
		t.Errorf("family %v of %d, whose parent is %d", family, os.Getpid(), os.Getppid())
	}
	if name := commandName(os.Getpid()); name == "" || name == "?" {
		t.Errorf("own name %q", name)
	}
	if name := commandName(1 << 30); name != "?" {
		t.Error(fmt.Sprint("name of nobody: ", name))
	}
}

// What is for coordinators only is so however it is written.
func TestForCoordinator(t *testing.T) {
	for name, want := range map[string]bool{
		"/claim": true, "claim": true, "//claim": true, "/x/../release": true, "/availability/": true,
		"/": false, "/exec": false, "/claims": false, "/x/claim": false, "": false,
	} {
		if got := ForCoordinator(name); got != want {
			t.Errorf("%q: %t", name, got)
		}
	}
}
