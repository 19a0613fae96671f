//go:build !plan9 && !windows

package netdial

import (
	"errors"
	"syscall"
)

// refused reports whether err says that nothing listens at the address.
func refused(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }
