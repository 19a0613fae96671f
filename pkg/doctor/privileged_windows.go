package doctor

import (
	"os/user"

	"golang.org/x/sys/windows"
)

// whoIsThis reports whether this process may do anything, and who it is.
func whoIsThis() (root bool, who string) {
	who = "an ordinary user"
	if u, err := user.Current(); err == nil {
		who = u.Username
	}
	if windows.GetCurrentProcessToken().IsElevated() {
		return true, who + ", elevated"
	}
	return false, who
}
