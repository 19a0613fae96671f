package doctor

import "golang.org/x/sys/unix"

// OpenBSD bounds no address space; the data segment, which its login classes
// do bound, has all that is allocated.
var memoryResources = []memoryResource{{unix.RLIMIT_DATA, "ulimit -d"}}
