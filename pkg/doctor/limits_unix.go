//go:build unix

package doctor

import "golang.org/x/sys/unix"

// rlimit returns the soft and the hard limit of a resource.
func rlimit(resource int) (soft, hard uint64, known bool) {
	var r unix.Rlimit
	if unix.Getrlimit(resource, &r) != nil {
		return 0, 0, false
	}
	return limited(uint64(r.Cur)), limited(uint64(r.Max)), true
}

// limited returns n, or unlimited if n is one of the numbers that systems
// write for no limit.
func limited(n uint64) uint64 {
	if n >= 1<<62 {
		return unlimited
	}
	return n
}

func filesLimit() (n uint64, known bool) {
	_, hard, known := rlimit(unix.RLIMIT_NOFILE)
	return hard, known
}

// memoryRlimits returns the limits of this process that bind its memory.
func memoryRlimits() []limit {
	var limits []limit
	for _, r := range memoryResources {
		if soft, _, known := rlimit(r.resource); known && soft != unlimited {
			limits = append(limits, limit{float64(soft), "the process (" + r.name + ")"})
		}
	}
	return limits
}

// memoryResource is a resource that memory is taken from.
type memoryResource struct {
	resource int
	name     string
}
