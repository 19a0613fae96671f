//go:build unix

package doctor

import (
	"fmt"
	"os"
	"os/user"
)

// whoIsThis reports whether this process may do anything, and who it is.
func whoIsThis() (root bool, who string) {
	uid := os.Geteuid()
	if uid == 0 {
		return true, "root"
	}
	who = fmt.Sprintf("uid %d", uid)
	if u, err := user.LookupId(fmt.Sprint(uid)); err == nil {
		who = u.Username + ", " + who
	}
	return false, who
}
