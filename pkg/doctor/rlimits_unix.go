//go:build unix && !openbsd

package doctor

import "golang.org/x/sys/unix"

var memoryResources = []memoryResource{
	{unix.RLIMIT_AS, "ulimit -v"},
	{unix.RLIMIT_DATA, "ulimit -d"},
}
