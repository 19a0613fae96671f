//go:build unix

package release

import "golang.org/x/sys/unix"

// haveMemory reports whether size bytes can be had in one piece.
func haveMemory(size int) bool {
	if size == 0 {
		return true
	}
	piece, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return false
	}
	unix.Munmap(piece) // untouched, it took no memory
	return true
}
