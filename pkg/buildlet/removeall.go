package buildlet

import "os"

// RemoveAll removes name below root, or all that root holds if name is ".",
// read-only trees included. It follows no link out of root.
func RemoveAll(root *os.Root, name string) error { return removeAll(root, name) }
