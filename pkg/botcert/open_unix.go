//go:build unix

package botcert

import "syscall"

// nonBlock makes the opening of a named pipe not wait for its other end.
const nonBlock = syscall.O_NONBLOCK
