package buildlet

import (
	"bytes"
	"errors"
	"iter"
	"math"
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
	first, last := g.numbers()
	cookie := []byte(g.cookie)
	for pid := range procs(first, last) {
		env, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
		if err == nil && bytes.Contains(env, cookie) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// soon is a time in which no machine starts as many processes as there are
// numbers for them.
const soon = 100 * time.Millisecond

// numbers returns the range in which the numbers of the command's descendants
// lie. Numbers are given out in turn, so those of a short command's lie
// between its own and the last one given; but in time they begin anew.
func (g *group) numbers() (first, last int) {
	all := math.MaxInt
	if time.Since(g.began) > soon {
		return 0, all
	}
	load, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0, all
	}
	field := bytes.Fields(load)
	last, err = strconv.Atoi(string(field[len(field)-1]))
	if own := g.cmd.Process.Pid; err == nil && last >= own {
		return own, last
	}
	return 0, all
}

// procs returns the numbers of the processes in a range, ends included.
func procs(first, last int) iter.Seq[int] {
	return func(yield func(int) bool) {
		if last-first < 256 {
			for pid := first; pid <= last && yield(pid); pid++ {
			}
			return
		}
		proc, err := os.Open("/proc")
		if err != nil {
			return
		}
		defer proc.Close()
		names, _ := proc.Readdirnames(-1)
		for _, name := range names {
			pid, err := strconv.Atoi(name)
			if err == nil && pid >= first && pid <= last && !yield(pid) {
				return
			}
		}
	}
}
