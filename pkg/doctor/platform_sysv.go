//go:build aix || solaris

package doctor

import "context"

const (
	homeVariable = "HOME"
	// shutdown is the program by which the Swarming bot restarts the machine
	// (LUCI protocol, section 9.6); hardReset is Linux's.
	shutdown  = "shutdown"
	hardReset = ""
)

// processList asks ps.
func (e *exam) processList(ctx context.Context) ([]process, error) {
	out, err := output(ctx, "ps", "-eo", "pid,ppid,args")
	return parsePS(out), err
}
