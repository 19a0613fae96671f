//go:build !unix

package buildlet

// surviveBrokenPipes has nothing to do: no signal comes of a broken pipe here.
func surviveBrokenPipes() (undo func()) { return func() {} }
