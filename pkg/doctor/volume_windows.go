package doctor

import (
	"path/filepath"

	"golang.org/x/sys/windows"
)

// volume returns the file system of dir, which has to exist.
func (e *exam) volume(dir string) (volume, error) {
	name, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return volume{}, err
	}
	var v volume
	if err := windows.GetDiskFreeSpaceEx(name, &v.free, &v.total, nil); err != nil {
		return volume{}, err
	}
	top, err := windows.UTF16PtrFromString(filepath.VolumeName(dir) + `\`)
	if err != nil {
		return volume{}, err
	}
	kind := make([]uint16, windows.MAX_PATH+1)
	if windows.GetVolumeInformation(top, nil, 0, nil, nil, nil, &kind[0], uint32(len(kind))) == nil {
		v.kind = windows.UTF16ToString(kind)
	}
	if windows.GetDriveType(top) == windows.DRIVE_REMOTE {
		v.kind += " (remote)"
	}
	return v, nil
}
