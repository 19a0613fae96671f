//go:build !linux

package rehearse

import "os/exec"

// dieWithParent makes cmd end with this process, where the system can.
func dieWithParent(*exec.Cmd) {}
