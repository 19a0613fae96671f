// Package diskspace measures the file system of a directory.
package diskspace

// Space is how much a file system holds, in bytes.
type Space struct {
	Total int64
	Free  int64 // for users other than root
}
