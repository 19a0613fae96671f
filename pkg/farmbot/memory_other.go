//go:build !linux

package farmbot

// memory tells nothing: there is no way that all systems share.
func memory() (total, free int64, ok bool) { return 0, 0, false }
