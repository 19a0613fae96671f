package netdial

import (
	"errors"

	"golang.org/x/sys/windows"
)

// refused reports whether err says that nothing listens at the address.
func refused(err error) bool { return errors.Is(err, windows.WSAECONNREFUSED) }
