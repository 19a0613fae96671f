package doctor

import (
	"errors"
	"slices"
	"strings"
)

// volume is a file system.
type volume struct {
	total, free        uint64 // bytes; free for users other than root
	inodes, inodesFree uint64 // 0 if it has no fixed number of them
	kind               string // such as ext4; empty if it cannot be told
}

// errNoVolume says that a system cannot be asked about its file systems.
var errNoVolume = errors.New("cannot be measured on " + ownPort())

// inMemory reports whether what is written there takes memory.
func (v volume) inMemory() bool {
	return slices.Contains([]string{"tmpfs", "ramfs", "mfs", "swapfs"}, v.kind)
}

// remote reports whether the file system is on another machine.
func (v volume) remote() bool {
	kind := strings.ToLower(v.kind)
	return slices.ContainsFunc([]string{"nfs", "cifs", "smb", "9p", "afs", "sshfs", "ceph", "glusterfs", "lustre", "webdav", "remote"}, func(net string) bool {
		return strings.Contains(kind, net)
	})
}
