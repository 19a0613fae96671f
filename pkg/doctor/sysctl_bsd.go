//go:build dragonfly || freebsd || openbsd

package doctor

// physicalMemory is the sysctl of the bytes of memory.
const physicalMemory = "hw.physmem"
