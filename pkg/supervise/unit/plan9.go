package unit

// plan9 plans a script of rc's that keeps the service running. Which of its
// machines call it, and as whom, only a person knows.
func plan9(m *maker) error {
	file := "/rc/bin/" + m.Service.Name
	m.file("plan9", file, 0o755)
	m.Dirs = nil // the script makes them, as the user that it runs as
	m.Notes = append(m.Notes,
		"add this line to /cfg/$sysname/cpustart: "+file+" &",
		"there is no user of the service's own: it runs as the one who calls the script; auth/as runs it as another")
	return nil
}

// RCCommand is the command for rc.
func (m *maker) RCCommand() string { return joinQuoted(quoteRC, m.Service.command()) }
