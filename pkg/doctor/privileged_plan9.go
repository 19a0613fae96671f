package doctor

import "os/user"

// whoIsThis reports who this process is; Plan 9 has no user that may do
// anything.
func whoIsThis() (root bool, who string) {
	u, err := user.Current()
	if err != nil {
		return false, "unknown"
	}
	return false, u.Username
}
