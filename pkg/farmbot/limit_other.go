//go:build !linux

package farmbot

// canCount is whether the processes of a program can be found.
const canCount = false

func kill([]int) {}

// seesOthers reports whether processes of other users can be found by their
// mark. Here none are looked for.
func seesOthers() bool { return true }

// hardLimit limits nothing here.
func hardLimit(name string, pid, most int, root bool) (count func() int, how string, free func()) {
	return nil, "", func() {}
}
