//go:build unix

package buildlet

import (
	"os"
	"os/signal"
	"syscall"
)

// surviveBrokenPipes lets a write to a standard stream that nobody reads any
// more fail, instead of killing the process with all that it still has to
// clean up. Commands do not inherit that. It returns what undoes it.
func surviveBrokenPipes() (undo func()) {
	dropped := make(chan os.Signal, 1)
	signal.Notify(dropped, syscall.SIGPIPE)
	return func() { signal.Stop(dropped) }
}
