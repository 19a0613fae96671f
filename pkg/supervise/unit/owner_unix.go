//go:build unix

package unit

import (
	"context"
	"fmt"
	"io/fs"
	"os/user"
	"strconv"
	"syscall"
)

// ownedByOther names the owner of a directory if that is not owner, whom it
// is meant for; empty means that it is nobody's in particular.
func ownedByOther(ctx context.Context, info fs.FileInfo, owner string) string {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || owner == "" {
		return ""
	}
	if uid, _, err := ids(ctx, owner); err == nil && uid == int(stat.Uid) {
		return ""
	}
	id := strconv.FormatUint(uint64(stat.Uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return fmt.Sprintf("user %s", id)
}
