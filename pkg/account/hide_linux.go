package account

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// hideMemory makes sure that only root reads this process's memory: by a setting
// of the machine (fs.suid_dumpable) a change of the user alone might not.
func hideMemory() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("hide the memory of this process: %w", err)
	}
	return nil
}
