//go:build !unix

package control

// giveTo does nothing: here, files belong to the one who makes them.
func giveTo(file, dir string) error { return nil }
