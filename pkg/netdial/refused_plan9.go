package netdial

import "strings"

// refused reports whether err says that nothing listens at the address. Plan
// 9's errors are texts.
func refused(err error) bool { return strings.Contains(err.Error(), "connection refused") }
