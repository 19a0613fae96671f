//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package doctor

import (
	"context"
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"
)

// readMemory returns what memory the machine has.
func (e *exam) readMemory(context.Context) (memory, error) {
	value, err := unix.SysctlRaw(physicalMemory)
	if err != nil {
		return memory{}, fmt.Errorf("sysctl %s: %w", physicalMemory, err)
	}
	switch len(value) {
	case 4:
		return memory{physical: uint64(binary.NativeEndian.Uint32(value))}, nil
	case 8:
		return memory{physical: binary.NativeEndian.Uint64(value)}, nil
	}
	return memory{}, fmt.Errorf("sysctl %s: %d bytes", physicalMemory, len(value))
}
