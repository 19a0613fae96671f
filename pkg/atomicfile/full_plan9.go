package atomicfile

import "strings"

// isFull reports whether err came of a full disk; Plan 9's errors are texts.
func isFull(err error) bool { return strings.Contains(err.Error(), "full") }
