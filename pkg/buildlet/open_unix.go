//go:build unix

package buildlet

import "syscall"

// nonBlock makes the opening of a fifo not wait for its other end.
const nonBlock = syscall.O_NONBLOCK
