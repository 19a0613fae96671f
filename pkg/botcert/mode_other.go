//go:build !windows

package botcert

import (
	"fmt"
	"os"
)

// modeFinding judges who may read a private key: what runs on the machine as
// another user must not (LUCI protocol, section 7.9).
func modeFinding(file string) Finding {
	info, err := os.Stat(file)
	if err != nil {
		return Finding{State: Fail, What: "mode", Found: err.Error()}
	}
	mode := info.Mode().Perm()
	f := Finding{State: OK, What: "mode", Found: fmt.Sprintf("%04o", mode), Wanted: "0600", Hint: "chmod 600 " + quoted(file)}
	switch {
	case mode&0o007 != 0:
		f.State, f.Found = Fail, f.Found+", open to every user"
	case mode&0o070 != 0:
		f.State, f.Found = Warn, f.Found+", open to the file's group"
	default:
		f.Wanted, f.Hint = "", ""
	}
	return f
}
