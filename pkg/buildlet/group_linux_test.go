package buildlet

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// alive reports whether a process runs. One that is dead may remain without
// anybody to reap it.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z") && !strings.HasPrefix(rest, "X")
}

// pids returns the numbers that commands have left in files.
func (s *testServer) pids(names ...string) (list []int) {
	for _, name := range names {
		b, err := os.ReadFile(s.path(name))
		pid, convErr := strconv.Atoi(strings.TrimSpace(string(b)))
		if err != nil || convErr != nil {
			return nil
		}
		list = append(list, pid)
	}
	return list
}

// family starts processes in the ways in which they hide, and waits until all
// have written their numbers. %s is what the leader does then.
const family = `
sleep 600 & echo $! >child.new
env -i /bin/sh -c 'echo $$ >bare.new; exec sleep 600' &
setsid /bin/sh -c 'echo $$ >session.new; trap "" TERM; sleep 600; sleep 600' &
( ( setsid /bin/sh -c 'echo $$ >daemon.new; exec sleep 600' </dev/null >/dev/null 2>&1 & ) & )
/bin/sh -c 'trap "" TERM HUP INT; echo $$ >deaf.new; while :; do sleep 1; done' &
for f in child bare session daemon deaf; do
	while [ ! -s $f.new ]; do sleep 0.01; done
	mv $f.new $f
done
`

var familyFiles = []string{"child", "bare", "session", "daemon", "deaf"}

// All that a command has started is dead when its answer ends, however it ends.
func TestGroupDies(t *testing.T) {
	for _, tt := range []struct {
		name, last string
		end        func(s *testServer, cancel context.CancelFunc)
	}{
		{"command ends", "exit 0", nil},
		{"command is killed", "kill -9 $$", nil},
		{"caller goes away", "sleep 600", func(_ *testServer, cancel context.CancelFunc) { cancel() }},
		{"server closes", "sleep 600", func(s *testServer, _ context.CancelFunc) { s.Close() }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := serve(t, Options{})
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			done := make(chan struct{})
			go func() {
				defer close(done)
				s.client().Exec(ctx, "/bin/sh", ExecOptions{Dir: ".", Args: []string{"-c", family + tt.last}})
			}()
			await(t, "all processes run", func() bool { return s.pids(familyFiles...) != nil })
			if tt.end != nil {
				tt.end(s, cancel)
			}
			<-done
			await(t, "the command is over", func() bool { return s.Busy() == 0 })
			for i, pid := range s.pids(familyFiles...) {
				if alive(pid) {
					t.Errorf("%s lives on as %d", familyFiles[i], pid)
				}
			}
		})
	}
}

// Nobody waits for what a command leaves behind, be it outside of its group.
func TestGroupEndsAtOnce(t *testing.T) {
	s := serve(t, Options{})
	for _, line := range []string{"sleep 60 & echo $! >pid; exit 0", "setsid sleep 60 & echo $! >pid; exit 0",
		"setsid sh -c 'echo $$ >pid; sleep 60 & sleep 60' & while [ ! -s pid ]; do sleep 0.01; done; exit 0"} {
		began := time.Now()
		if _, state := s.sh(line); !state.OK() {
			t.Errorf("%s: %q", line, state.Text)
		}
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("%s took %s", line, took)
		}
		for _, pid := range s.pids("pid") {
			if alive(pid) {
				t.Errorf("%s: process %d lives on", line, pid)
			}
		}
		os.Remove(s.path("pid"))
	}
}

// A process that leaves the group the moment its leader ends is found too.
func TestGroupRace(t *testing.T) {
	s := serve(t, Options{})
	mark := fmt.Sprintf("sleep 1%d", time.Now().UnixNano()%1e9)
	for i := range 300 {
		line := []string{
			"setsid " + mark + " & exit 0",
			"(setsid setsid sh -c '" + mark + " & " + mark + "' &) ; exit 0",
			"for i in 1 2 3; do setsid sh -c 'setsid " + mark + " &' & done; exit 0",
		}[i%3]
		if _, state := s.sh(line); !state.OK() {
			t.Fatalf("%s: %q", line, state.Text)
		}
	}
	for _, pid := range running(mark) {
		t.Errorf("process %d lives on", pid)
	}
}

// processes returns the numbers of all processes.
func processes() (pids []int) {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		if pid, err := strconv.Atoi(filepath.Base(dir)); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// running returns the processes with the given command line.
func running(line string) (pids []int) {
	for _, pid := range processes() {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err == nil && strings.Contains(strings.ReplaceAll(string(b), "\x00", " "), line) && alive(pid) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// What a command prints just before its end arrives.
func TestGroupLastOutput(t *testing.T) {
	s := serve(t, Options{})
	burst := strings.Repeat("x", 50000)
	for i := range 300 {
		line := []string{"head -c 50000 /dev/zero | tr '\\0' x", "head -c 50000 /dev/zero | tr '\\0' x; sleep 60 &",
			"head -c 50000 /dev/zero | tr '\\0' x; setsid sleep 60 &"}[i%3]
		if out, state := s.sh(line); out != burst || !state.OK() {
			t.Fatalf("round %d: %d bytes, state %q", i, len(out), state.Text)
		}
	}
}

// A command that has closed its output runs on.
func TestGroupClosedOutput(t *testing.T) {
	s := serve(t, Options{})
	out, state := s.sh("echo before; exec >/dev/null 2>&1; sleep 0.3; echo after; echo done >done; exit 7")
	if out != "before\n" || state.Text != "exit status 7" || s.content("done") != "done\n" {
		t.Errorf("output %q, state %q", out, state.Text)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go s.client().Exec(ctx, "/bin/sh", ExecOptions{Dir: ".", Args: []string{"-c", "exec >&- 2>&-; echo $$ >pid; exec sleep 600"}})
	await(t, "the command runs", func() bool { return s.pids("pid") != nil })
	cancel()
	await(t, "the command is over", func() bool { return s.Busy() == 0 })
	if pid := s.pids("pid")[0]; alive(pid) {
		t.Errorf("process %d lives on", pid)
	}
}

func TestGroupMany(t *testing.T) {
	s := serve(t, Options{})
	var work sync.WaitGroup
	for i := range 50 {
		work.Go(func() {
			line := fmt.Sprintf("sleep 600 & setsid sleep 600 & echo %d; exit %d", i, i)
			var out strings.Builder
			state, err := s.client().Exec(t.Context(), "/bin/sh", ExecOptions{Dir: ".", Args: []string{"-c", line}, Output: &out})
			if err != nil || out.String() != fmt.Sprintf("%d\n", i) || state.Code() != i {
				t.Errorf("%d: %q, %q (%v)", i, out.String(), state.Text, err)
			}
		})
	}
	work.Wait()
	if s.Busy() != 0 {
		t.Errorf("busy with %d commands", s.Busy())
	}
}

// The environment may cut a command off from the network (section 3.7); where
// that is not allowed, its output says so.
func TestExecFirewall(t *testing.T) {
	s := serve(t, Options{})
	out, state := s.exec("/bin/cat", ExecOptions{Args: []string{"/proc/self/net/dev"}, Env: []string{"GO_DISABLE_OUTBOUND_NETWORK=true"}})
	if !state.OK() {
		t.Fatalf("state %q", state.Text)
	}
	if strings.HasPrefix(out, ":: the network could not be cut off: ") {
		t.Skip(out)
	}
	if strings.Count(out, ":") != 1 || !strings.Contains(out, "lo:") {
		t.Errorf("interfaces: %s", out)
	}
}
