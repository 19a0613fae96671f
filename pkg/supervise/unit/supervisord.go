package unit

// supervisord plans a program of supervisord.
func supervisord(m *maker) error {
	name := m.Service.Name
	m.file("script", m.Script, 0o755)
	m.file("supervisord", "/etc/supervisor/conf.d/"+name+".conf", 0o644)
	m.Start = []Step{step("supervisorctl", "reread"), step("supervisorctl", "update", name)}
	m.Stop = []Step{optional("supervisorctl", "stop", name)}
	m.Clean = []Step{step("supervisorctl", "reread"), optional("supervisorctl", "update", name)}
	m.Status = step("supervisorctl", "status", name)
	m.Notes = append(m.Notes, "where supervisord reads another directory than /etc/supervisor/conf.d (Fedora: /etc/supervisord.d/*.ini), put the file there")
	return nil
}
