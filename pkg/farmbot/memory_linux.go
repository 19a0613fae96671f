package farmbot

import (
	"bytes"
	"os"
	"strconv"
)

// memory returns the memory of the machine, and what of it new programs can
// have without swapping, in bytes.
func memory() (total, free int64, ok bool) {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, 0, false
	}
	value := func(name string) int64 {
		_, after, found := bytes.Cut(text, []byte("\n"+name))
		if !found {
			if after, found = bytes.CutPrefix(text, []byte(name)); !found {
				return -1
			}
		}
		field := bytes.Fields(after)
		if len(field) == 0 {
			return -1
		}
		n, err := strconv.ParseInt(string(field[0]), 10, 64)
		if err != nil {
			return -1
		}
		return n << 10
	}
	total, free = value("MemTotal:"), value("MemAvailable:")
	return total, free, total > 0 && free >= 0
}
