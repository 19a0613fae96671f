package doctor

import "golang.org/x/sys/windows"

// machine returns what the kernel's architecture is, or "".
func machine() string {
	var process, native uint16
	if windows.IsWow64Process2(windows.CurrentProcess(), &process, &native) != nil {
		return ""
	}
	return map[uint16]string{0x014c: "x86", 0x8664: "amd64", 0xaa64: "arm64", 0x01c4: "armv7"}[native]
}
