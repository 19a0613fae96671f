package rehearse

import (
	"os/exec"
	"syscall"
)

// dieWithParent makes cmd end with this process, however that ends.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
}
