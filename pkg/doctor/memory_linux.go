package doctor

import (
	"context"
	"errors"
	"strconv"
	"strings"
)

// readMemory returns what memory the machine has.
func (e *exam) readMemory(context.Context) (memory, error) {
	var m memory
	for line := range strings.Lines(e.read("/proc/meminfo")) {
		words := strings.Fields(line) // NAME: N kB
		if len(words) < 2 {
			continue
		}
		n, err := strconv.ParseUint(words[1], 10, 54)
		if err != nil {
			continue
		}
		switch words[0] {
		case "MemTotal:":
			m.physical = n << 10
		case "SwapTotal:":
			m.swap, m.swapKnown = n<<10, true
		}
	}
	if m.physical == 0 {
		return memory{}, errors.New("/proc/meminfo does not say MemTotal")
	}
	return m, nil
}
