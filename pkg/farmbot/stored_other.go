//go:build !unix

package farmbot

import "io/fs"

// stored returns how many bytes a file takes.
func stored(info fs.FileInfo) int64 { return info.Size() }
