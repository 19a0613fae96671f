package doctor

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

const (
	mib = 1 << 20
	gib = 1 << 30
)

// The memory that the wiki page asks for, in bytes. A machine of that much
// shows up to an eighth less, which its kernel or its graphics keeps.
const (
	memoryNeeded = 512 * mib / 8 * 7
	memoryWanted = 1 * gib / 8 * 7
)

// cpus tells how many CPUs a build has.
func (e *exam) cpus(context.Context) []Finding {
	have := float64(runtime.NumCPU()) // those that this process may run on
	found := strconv.Itoa(runtime.NumCPU())
	if quota, limited := tightest(e.cgroupCPUs()); limited && quota.value < have {
		have = quota.value
		found = fmt.Sprintf("%.3g of %s: limit of %s", quota.value, found, quota.by)
	}
	switch {
	case have >= 2:
		return one(ok("%s", found))
	case have >= 1:
		return one(warn("one works, with long builds", "%s", found))
	}
	return one(warn("give the cgroup a whole CPU or more: tests fail by their time limits on less", "%s", found))
}

// memory tells how much memory a build has: the physical one, or what limits
// of cgroups and of the process leave of it.
func (e *exam) memory(ctx context.Context) []Finding {
	m, err := e.readMemory(ctx)
	limits := e.cgroupLimits("memory", "memory.limit_in_bytes", "memory.max")
	limits = append(limits, memoryRlimits()...)
	lowest, limited := tightest(limits)
	var have float64
	var found string
	switch {
	case err == nil && (!limited || float64(m.physical) <= lowest.value):
		have = float64(m.physical)
		found = size(have)
	case limited:
		have = lowest.value
		found = fmt.Sprintf("%s: limit of %s", size(have), lowest.by)
		if err == nil {
			found += fmt.Sprintf("; physical %s", size(float64(m.physical)))
		}
	default:
		return one(unknown("cannot be measured on %s (%v)", ownPort(), err))
	}
	switch {
	case m.swapKnown && m.swap == 0:
		found += "; no swap"
	case m.swapKnown:
		found += fmt.Sprintf("; swap %s", size(float64(m.swap)))
	}
	more := "give the machine more memory"
	if limited && have == lowest.value {
		more = "raise the limit of " + lowest.by
		if strings.HasPrefix(lowest.by, "cgroup ") {
			more += " (MemoryMax= in a systemd unit, --memory of a container)"
		}
	}
	switch {
	case have < memoryNeeded:
		return one(fail(more, "%s", found))
	case have < memoryWanted:
		return one(warn(more+"; until then a small GOGC in the worker's environment, such as GOGC=50, avoids thrashing", "%s", found))
	}
	return one(ok("%s", found))
}

// memory is what a machine has, in bytes.
type memory struct {
	physical  uint64
	swap      uint64
	swapKnown bool
}

// parsePlan9Swap reads Plan 9's /dev/swap, whose first line has the bytes of
// memory.
func parsePlan9Swap(text string) (memory, error) {
	words := strings.Fields(text)
	i := slices.Index(words, "memory")
	if i < 1 {
		return memory{}, fmt.Errorf("/dev/swap does not say how much memory there is")
	}
	n, err := strconv.ParseUint(words[i-1], 10, 64)
	if err != nil {
		return memory{}, fmt.Errorf("/dev/swap: %w", err)
	}
	return memory{physical: n}, nil
}

// parsePrtconf reads what "prtconf -m" prints: on Solaris and illumos a number
// of MiB, on AIX the same between words.
func parsePrtconf(text string) (memory, error) {
	for _, word := range strings.Fields(text) {
		if n, err := strconv.ParseUint(word, 10, 40); err == nil && n > 0 {
			return memory{physical: n * mib}, nil
		}
	}
	return memory{}, fmt.Errorf("prtconf -m does not say how much memory there is")
}

// size writes a number of bytes for people.
func size(bytes float64) string {
	switch {
	case bytes >= 10*gib:
		return fmt.Sprintf("%.0f GiB", bytes/gib)
	case bytes >= gib:
		return fmt.Sprintf("%.1f GiB", math.Floor(bytes/gib*10)/10)
	case bytes >= mib:
		return fmt.Sprintf("%.0f MiB", math.Floor(bytes/mib))
	case bytes >= 1<<10:
		return fmt.Sprintf("%.0f KiB", math.Floor(bytes/(1<<10)))
	}
	return fmt.Sprintf("%.0f bytes", bytes)
}

// files tells how many files a process may have open. The hard limit counts:
// Go programs raise theirs to it.
func (e *exam) files(context.Context) []Finding {
	n, known := filesLimit()
	switch {
	case !known:
		return unmeasured()
	case n < 1024:
		return one(warn("raise the hard limit of open files for the worker's user (ulimit -Hn; LimitNOFILE= in a systemd unit; openfiles in login.conf)", "%s", count(n)))
	}
	return one(ok("%s", count(n)))
}

// processes tells how many processes the user, or the cgroup, may have.
func (e *exam) processes(context.Context) []Finding {
	var limits []limit
	n, known := processLimit()
	if known && n != unlimited {
		limits = append(limits, limit{float64(n), "the user (ulimit -u)"})
	}
	limits = append(limits, e.cgroupLimits("pids", "pids.max", "pids.max")...)
	lowest, limited := tightest(limits)
	switch {
	case limited && lowest.value < 500:
		return one(warn("raise that limit: a build runs many processes and threads at once (TasksMax= in a systemd unit; maxproc in login.conf)",
			"%.0f: limit of %s", lowest.value, lowest.by))
	case limited:
		return one(ok("%.0f: limit of %s", lowest.value, lowest.by))
	case !known:
		return unmeasured()
	}
	return one(ok("no limit"))
}

// unlimited is a limit that there is not.
const unlimited = math.MaxUint64

func count(n uint64) string {
	if n == unlimited {
		return "no limit"
	}
	return strconv.FormatUint(n, 10)
}
