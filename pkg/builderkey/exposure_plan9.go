package builderkey

import (
	"fmt"
	"io/fs"
)

// exposure says who may read the key file besides its owner, or "".
func exposure(file string, info fs.FileInfo) string {
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Sprintf("%s has mode %04o: others can get at the key; chmod 600 %s", file, mode, file)
	}
	return ""
}
