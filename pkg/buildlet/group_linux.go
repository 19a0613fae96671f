package buildlet

import (
	"bytes"
	"errors"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// sweepRounds bounds the hunt for processes that start others as fast as they
// are killed.
const sweepRounds = 200

// wait waits for the command's end and kills what is left of its group. The
// leader is reaped last: until then its number stays taken, so that the
// signal reaches no other.
func (g *group) wait() error {
	for {
		err := unix.Waitid(unix.P_PID, g.cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	return g.reap(g.cmd.Wait)
}

// sweep kills the processes that have left the group, and returns those that
// live on all the same.
func (g *group) sweep() (left []int) {
	for range sweepRounds {
		if left = g.marked(); len(left) == 0 {
			return nil
		}
		for _, pid := range left {
			unix.Kill(pid, unix.SIGKILL)
		}
		time.Sleep(time.Millisecond)
	}
	return left
}

// marked returns the living processes whose environment has the cookie. Of a
// dead one that nobody has reaped, the environment is empty.
func (g *group) marked() (pids []int) {
	proc, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer proc.Close()
	names, _ := proc.Readdirnames(-1)
	cookie := []byte(g.cookie)
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		env, err := os.ReadFile("/proc/" + name + "/environ")
		if err == nil && bytes.Contains(env, cookie) {
			pids = append(pids, pid)
		}
	}
	return pids
}
