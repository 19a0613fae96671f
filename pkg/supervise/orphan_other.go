//go:build !linux

package supervise

import "os/exec"

// endWithParent makes cmd end with this process, where the system can.
func endWithParent(*exec.Cmd) {}

// killMarked kills the processes with mark, which cannot be found here.
func killMarked(string) {}

// askToEnd asks a process of an earlier supervisor to end; none is found here.
func askToEnd(int) {}
