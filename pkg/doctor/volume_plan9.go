package doctor

// volume returns the file system of dir; Plan 9's servers do not say how full
// they are.
func (e *exam) volume(string) (volume, error) { return volume{}, errNoVolume }
