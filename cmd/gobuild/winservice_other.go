//go:build !windows

package main

// runAsService is for Windows, whose service manager wants to be answered.
func runAsService([]string) (code int, ok bool) { return 0, false }
