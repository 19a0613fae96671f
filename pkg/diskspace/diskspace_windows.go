package diskspace

import "golang.org/x/sys/windows"

// Of returns the space of the file system of dir, which has to exist, and
// whether it could be measured.
func Of(dir string) (Space, bool) {
	name, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return Space{}, false
	}
	var free, total uint64
	if windows.GetDiskFreeSpaceEx(name, &free, &total, nil) != nil {
		return Space{}, false
	}
	return Space{Total: int64(total), Free: int64(free)}, true
}
