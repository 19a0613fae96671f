package main

import (
	"path/filepath"
	"strings"
)

// multicall returns the arguments of a command line. Under a name that begins
// with "buildlet" or "stage0", as it has where stage0 or an owner has put it in
// upstream's program's place, gobuild is that command.
func multicall(argv []string) []string {
	if len(argv) == 0 {
		return nil
	}
	name := strings.ToLower(filepath.Base(argv[0]))
	for _, command := range []string{"buildlet", "stage0"} {
		if strings.HasPrefix(name, command) {
			return append([]string{command}, argv[1:]...)
		}
	}
	return argv[1:]
}
