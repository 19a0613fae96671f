package unit

// smf plans a manifest for the service management of Solaris and illumos.
func smf(m *maker) error {
	file := "/var/svc/manifest/site/" + m.Service.Name + ".xml"
	fmri := "svc:/site/" + m.Service.Name
	m.file("script", m.Script, 0o755)
	m.file("smf", file, 0o444)
	m.Enable = []Step{step("svccfg", "import", file)}
	m.Start = []Step{step("svcadm", "enable", "-s", fmri), step("svcadm", "restart", fmri)}
	m.Stop = []Step{optional("svcadm", "disable", "-s", fmri)}
	m.Disable = []Step{optional("svccfg", "delete", "-f", fmri)}
	m.Status = step("svcs", "-H", "-o", "state,stime,fmri", fmri)
	return nil
}
