package memtrim

import (
	"bufio"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// dropProgram unmaps the pages of the program's file that cannot have been
// written to: they are in the page cache, or, if memory was short, on disk.
func dropProgram() {
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return
	}
	defer maps.Close()
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		if from, to, ok := readOnlyPart(lines.Text(), exe); ok {
			unix.Syscall(unix.SYS_MADVISE, from, to-from, unix.MADV_DONTNEED)
		}
	}
}

// readOnlyPart returns the addresses of a line of proc_pid_maps(5), if it is a
// read-only mapping of file.
func readOnlyPart(line, file string) (from, to uintptr, ok bool) {
	field := strings.Fields(line)
	if len(field) < 6 || strings.Contains(field[1], "w") || !strings.HasSuffix(line, " "+file) {
		return 0, 0, false
	}
	low, high, _ := strings.Cut(field[0], "-")
	first, err1 := strconv.ParseUint(low, 16, strconv.IntSize)
	end, err2 := strconv.ParseUint(high, 16, strconv.IntSize)
	return uintptr(first), uintptr(end), err1 == nil && err2 == nil && first < end
}
