package swarmbot

// isRoot reports whether this process may do anything; Plan 9 has no such user.
func isRoot() bool { return false }
