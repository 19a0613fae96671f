//go:build !unix

package doctor

import (
	"io/fs"

	"gobuild/pkg/account"
)

// exposure says who may read a file besides its owner. It does not know: on
// Windows access lists decide, on Plan 9 the file server.
func exposure(fs.FileInfo) string { return "" }

func modeAndOwner(fs.FileInfo) string { return "its access list was not looked at" }

func hiddenFrom(*account.Account, func(string) (fs.FileInfo, error), string) string { return "" }

func writable(fs.FileInfo) string { return "" }
