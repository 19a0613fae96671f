package swarmbot

import "golang.org/x/sys/windows"

// isRoot reports whether this process may do anything.
func isRoot() bool { return windows.GetCurrentProcessToken().IsElevated() }
