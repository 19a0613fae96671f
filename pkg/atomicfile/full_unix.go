//go:build !windows && !plan9

package atomicfile

import (
	"errors"
	"syscall"
)

// isFull reports whether err came of a full disk or quota.
func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
