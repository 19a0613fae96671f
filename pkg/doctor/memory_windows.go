package doctor

import (
	"context"
	"fmt"
	"unsafe"

	"golang.org/x/sys/windows"
)

// memoryStatus is MEMORYSTATUSEX of the Windows API.
type memoryStatus struct {
	length, load                                     uint32
	totalPhys, availPhys, totalPage, availPage       uint64
	totalVirtual, availVirtual, availExtendedVirtual uint64
}

var globalMemoryStatus = windows.NewLazySystemDLL("kernel32.dll").NewProc("GlobalMemoryStatusEx")

// readMemory returns what memory the machine has.
func (e *exam) readMemory(context.Context) (memory, error) {
	var status memoryStatus
	status.length = uint32(unsafe.Sizeof(status))
	if done, _, err := globalMemoryStatus.Call(uintptr(unsafe.Pointer(&status))); done == 0 {
		return memory{}, fmt.Errorf("GlobalMemoryStatusEx: %w", err)
	}
	m := memory{physical: status.totalPhys}
	if status.totalPage >= status.totalPhys {
		m.swap, m.swapKnown = status.totalPage-status.totalPhys, true
	}
	return m, nil
}
