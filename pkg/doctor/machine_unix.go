//go:build unix

package doctor

import (
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// machine returns what the kernel calls its architecture, or "" if that says
// nothing: AIX gives a serial number.
func machine() string {
	var u unix.Utsname
	if runtime.GOOS == "aix" || unix.Uname(&u) != nil {
		return ""
	}
	return cstring(u.Machine[:])
}

// cstring returns the text before the first zero of a field of the system's.
func cstring[T byte | int8](field []T) string {
	var b strings.Builder
	for _, c := range field {
		if c == 0 {
			break
		}
		b.WriteByte(byte(c))
	}
	return b.String()
}
