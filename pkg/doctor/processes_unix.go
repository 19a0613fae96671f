//go:build unix && !solaris

package doctor

import "golang.org/x/sys/unix"

func processLimit() (n uint64, known bool) {
	soft, _, known := rlimit(unix.RLIMIT_NPROC)
	return soft, known
}
