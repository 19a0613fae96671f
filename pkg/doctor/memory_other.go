//go:build aix || solaris

package doctor

import "context"

// readMemory returns what memory the machine has. Neither system tells without
// a library; both have a command that does.
func (e *exam) readMemory(ctx context.Context) (memory, error) {
	out, err := output(ctx, "/usr/sbin/prtconf", "-m")
	if err != nil {
		return memory{}, err
	}
	return parsePrtconf(out)
}
