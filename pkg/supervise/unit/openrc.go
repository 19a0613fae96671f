package unit

// openRC plans a service script for supervise-daemon.
func openRC(m *maker) error {
	name := m.Service.Name
	m.file("script", m.Script, 0o755)
	m.file("openrc", "/etc/init.d/"+name, 0o755)
	m.Enable = []Step{step("rc-update", "add", name, "default")}
	m.Start = []Step{step("rc-service", name, "restart")}
	m.Stop = []Step{optional("rc-service", name, "stop")}
	m.Disable = []Step{optional("rc-update", "del", name, "default")}
	m.Status = step("rc-service", name, "status")
	return nil
}
