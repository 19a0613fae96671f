//go:build unix

package swarmbot

import "os"

// isRoot reports whether this process may do anything.
func isRoot() bool { return os.Geteuid() == 0 }
