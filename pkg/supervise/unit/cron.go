package unit

// cron plans a table for a cron that reads /etc/cron.d, for machines on which
// nothing else keeps programs running.
func cron(m *maker) error {
	m.file("cron-script", m.Script, 0o755)
	m.file("cron", "/etc/cron.d/"+m.Service.Name, 0o644)
	if m.Service.Once == nil {
		// The script knows whom it runs as, which who ends it need not.
		m.Stop = []Step{optional(m.Script, "stop")}
		m.Status = step(m.Script, "status")
		m.Notes = append(m.Notes, "cron starts it at the next full ten minutes")
	}
	m.Notes = append(m.Notes, "a cron without /etc/cron.d has tables of users: put the lines into that of "+m.GetUser()+" with crontab -e, without the user's name")
	return nil
}

// ShellOnce is the command of one run, for a shell.
func (m *maker) ShellOnce() string { return joinQuoted(quoteShell, m.Service.once()) }

// PidFile is where a service under cron leaves its process id.
func (m *maker) PidFile() string {
	if m.Service.Builds {
		return m.Home + "/pid"
	}
	return "/var/run/" + m.Service.Name + ".pid"
}
