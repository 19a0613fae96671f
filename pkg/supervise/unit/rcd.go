package unit

// rcFreeBSD plans an rc.d script around daemon(8).
func rcFreeBSD(m *maker) error {
	m.file("script", m.Script, 0o755)
	m.rcd("rcd-freebsd", "/usr/local/etc/rc.d/")
	return nil
}

// rcOther plans an rc.d script for NetBSD and DragonFly, whose daemon(8) is
// missing or starts nothing again.
func rcOther(m *maker) error {
	m.file("loop", m.Script, 0o755)
	m.rcd("rcd-other", "/etc/rc.d/")
	return nil
}

func (m *maker) rcd(name, dir string) {
	rc := dir + m.Underscored()
	m.file(name, rc, 0o555)
	m.file("rcconf", "/etc/rc.conf.d/"+m.Underscored(), 0o644)
	m.Start = []Step{step("/bin/sh", rc, "restart")}
	m.Stop = []Step{optional("/bin/sh", rc, "stop")}
	m.Status = step("/bin/sh", rc, "status")
}

// RCVar is the variable of rc.conf that turns the service on.
func (m *maker) RCVar() string {
	if m.Init == RCNetBSD {
		return m.Underscored()
	}
	return m.Underscored() + "_enable"
}

// rcOpenBSD plans an rc.d script for OpenBSD's rc.subr, which is another.
func rcOpenBSD(m *maker) error {
	name := m.Underscored()
	m.file("loop", m.Script, 0o755)
	m.file("rcd-openbsd", "/etc/rc.d/"+name, 0o555)
	m.Enable = []Step{step("rcctl", "enable", name)}
	m.Start = []Step{step("rcctl", "restart", name)}
	m.Stop = []Step{optional("rcctl", "stop", name)}
	m.Disable = []Step{optional("rcctl", "disable", name)}
	m.Status = step("rcctl", "check", name)
	return nil
}
