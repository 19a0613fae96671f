package memtrim

import (
	"bufio"
	"os"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// dropProgram unmaps the pages of the program's file that cannot have been
// written to: they are in the page cache, or, if memory was short, on disk.
func dropProgram() {
	for _, part := range readOnlyParts() {
		unix.Syscall(unix.SYS_MADVISE, part.from, part.to-part.from, unix.MADV_DONTNEED)
	}
}

// span is a range of addresses.
type span struct{ from, to uintptr }

// readOnlyParts are the parts of the program, which stay where they are.
var readOnlyParts = sync.OnceValue(func() (parts []span) {
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return nil
	}
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return nil
	}
	defer maps.Close()
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		if part, ok := readOnlyPart(lines.Text(), exe); ok {
			parts = append(parts, part)
		}
	}
	return parts
})

// readOnlyPart returns the addresses of a line of proc_pid_maps(5), if it is a
// read-only mapping of file.
func readOnlyPart(line, file string) (span, bool) {
	field := strings.Fields(line)
	if len(field) < 6 || strings.Contains(field[1], "w") || !strings.HasSuffix(line, " "+file) {
		return span{}, false
	}
	low, high, _ := strings.Cut(field[0], "-")
	from, err1 := strconv.ParseUint(low, 16, strconv.IntSize)
	to, err2 := strconv.ParseUint(high, 16, strconv.IntSize)
	return span{uintptr(from), uintptr(to)}, err1 == nil && err2 == nil && from < to
}
