//go:build !linux

package memtrim

// dropProgram does nothing here.
func dropProgram() {}
