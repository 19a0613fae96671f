//go:build !unix

package control

// trusted takes every directory: here is no root.
func trusted(dir string) error { return nil }

// giveTo does nothing: here, files belong to the one who makes them.
func giveTo(file, dir string) error { return nil }
