package unit

// launchd plans a property list for macOS's launchd.
func launchd(m *maker) error {
	name := m.Service.Name
	file := "/Library/LaunchDaemons/" + name + ".plist"
	m.file("launchd", file, 0o644)
	m.Start = []Step{
		quiet("launchctl", "bootout", "system/"+name), // an older one
		step("launchctl", "bootstrap", "system", file),
	}
	m.Stop = []Step{optional("launchctl", "bootout", "system/"+name)}
	m.Status = Step{Argv: []string{"launchctl", "print", "system/" + name}, Pick: []string{"state =", "pid =", "last exit code ="}}
	return nil
}

// LogFile is where launchd writes what the service says; the user has to be
// able to write it.
func (m *maker) LogFile() string {
	if m.Service.Builds {
		return m.Home + "/" + m.Service.Name + ".log"
	}
	return "/var/log/" + m.Service.Name + ".log"
}
