//go:build !unix

package doctor

import (
	"context"
	"path/filepath"
	"strings"
)

// canExecute does not try: neither Windows nor Plan 9 has file systems from
// which nothing may be run.
func canExecute(context.Context, string) error { return nil }

// sameVolume reports whether two files are on one drive.
func sameVolume(a, b string) bool {
	return strings.EqualFold(filepath.VolumeName(a), filepath.VolumeName(b))
}
