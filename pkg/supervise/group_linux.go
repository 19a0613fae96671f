package supervise

import (
	"bytes"
	"errors"
	"io"
	"iter"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// sweepRounds bounds the hunt for processes that start others as fast as
	// they are killed.
	sweepRounds = 200
	// soon is a time in which no machine starts as many processes as there
	// are numbers for them.
	soon = 100 * time.Millisecond
	// minMark is how long the value of a mark has to be, in bytes.
	minMark = 12
	// execWait is what a process may take to replace its program.
	execWait = 20 * time.Millisecond
)

// Wait waits for the command's end and kills what is left of its group. The
// leader is reaped last: until then its number stays taken, so that the
// signal reaches no other.
func (g *Group) Wait() error {
	for {
		err := unix.Waitid(unix.P_PID, g.cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if g.ended != nil {
		left := slices.DeleteFunc(Marked(g.mark), func(pid int) bool { return pid == g.cmd.Process.Pid })
		g.ended(left)
		for _, pid := range left {
			// Those in other groups may hold the output open, which Wait
			// waits for.
			unix.Kill(pid, unix.SIGKILL)
		}
	}
	return g.reap(g.cmd.Wait)
}

// Marked returns the living processes of this machine that have mark, or more
// behind it, in their environment, as far as this process may see that. On
// other systems it returns none.
func Marked(mark string) []int {
	return marked(mark, 0, math.MaxInt)
}

// Sweep kills the processes that have left the group, and returns those that
// live on all the same.
//
// Numbers are given out in turn, so those of a short command's descendants lie
// between its own and the last one given; but in time they begin anew. What is
// started while one look is taken, is found by the next, which is for the
// numbers given since.
func (g *Group) Sweep() (left []int) {
	all := func() (first, last, seen int) {
		own, seen := g.cmd.Process.Pid, lastNumber()
		if time.Since(g.began) < soon && seen >= own {
			return own, seen, seen
		}
		return 0, math.MaxInt, seen
	}
	first, last, seen := all()
	for range sweepRounds {
		left = marked(g.mark, first, last)
		for _, pid := range left {
			unix.Kill(pid, unix.SIGKILL)
		}
		now := lastNumber()
		switch {
		case len(left) > 0:
			time.Sleep(time.Millisecond)
			first, last, seen = all()
		case now == seen:
			return nil
		case now > seen:
			first, last, seen = seen+1, now, now
		default:
			first, last, seen = all()
		}
	}
	return left
}

// lastNumber returns the process number that was given out last, or 0 if that
// cannot be told.
func lastNumber() int {
	load, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0
	}
	field := bytes.Fields(load)
	n, _ := strconv.Atoi(string(field[len(field)-1]))
	return n
}

// marked returns the living processes in a range whose environment has the
// mark, as far as this process may see it.
func marked(mark string, first, last int) (pids []int) {
	// Half a mark is in the environment of others, an empty one in everybody's,
	// and what is found is killed.
	if _, value, ok := strings.Cut(mark, "="); !ok || len(value) < minMark {
		return nil
	}
	look := procs(first, last)
	buf := make([]byte, 64<<10)
	for deadline := time.Now().Add(execWait); ; time.Sleep(time.Millisecond / 2) {
		var unclear []int
		for pid := range look {
			dir := "/proc/" + strconv.Itoa(pid)
			env, err := readOnce(dir+"/environ", buf)
			switch {
			case err != nil, pid == os.Getpid():
			case bytes.Contains(env, []byte(mark)):
				pids = append(pids, pid)
			case len(env) == 0:
				// While a process replaces its program it has none. The dead,
				// and the kernel's own, have no program either.
				if _, err := os.Readlink(dir + "/exe"); err == nil {
					unclear = append(unclear, pid)
				}
			}
		}
		if len(unclear) == 0 || time.Now().After(deadline) {
			return pids
		}
		look = slices.Values(unclear)
	}
}

// readOnce returns what one read of a file gives, or all of it if that is more
// than buf holds. A process that replaces its program between two reads of its
// environment would show a part of the old one.
func readOnce(name string, buf []byte) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	n, err := f.Read(buf)
	if n == len(buf) {
		return os.ReadFile(name)
	}
	if err == io.EOF {
		err = nil
	}
	return buf[:n], err
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
