package doctor

// physicalMemory is the sysctl of the bytes of memory.
const physicalMemory = "hw.physmem64"
