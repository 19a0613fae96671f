package doctor

import "context"

// readMemory returns what memory the machine has.
func (e *exam) readMemory(context.Context) (memory, error) {
	return parsePlan9Swap(e.read("/dev/swap"))
}
