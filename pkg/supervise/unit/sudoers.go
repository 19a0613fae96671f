package unit

// sudoers plans the line that lets the service's user reboot the machine.
func (m *maker) sudoers() {
	dir := "/etc/sudoers.d/"
	switch m.Init {
	case Windows, Plan9:
		return
	case RCFreeBSD, RCDragonFly:
		dir = "/usr/local/etc/sudoers.d/"
	case RCNetBSD:
		dir = "/usr/pkg/etc/sudoers.d/"
	}
	m.file("sudoers", dir+m.Service.Name, 0o440)
	m.Files[len(m.Files)-1].Check = []string{"visudo", "-c", "-f"}
}

// Shutdown is the program that bots reboot with: by its whole path on Linux and
// macOS, else as PATH finds it.
func (m *maker) Shutdown() string {
	if m.Init == SMF {
		return "/usr/sbin/shutdown"
	}
	return "/sbin/shutdown"
}
