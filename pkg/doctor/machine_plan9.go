package doctor

import (
	"os"
	"strings"
)

// machine returns what the kernel calls its architecture, or "".
func machine() string {
	text, err := os.ReadFile("/dev/cputype")
	if err != nil {
		return ""
	}
	// "ARM64 1500" or "AMD-K10 2600": only those of ARM tell it by themselves.
	name, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(string(text))), " ")
	if strings.HasPrefix(name, "arm") {
		return name
	}
	return ""
}
