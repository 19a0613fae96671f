package unit

import "strconv"

// runit plans a service directory, and the link by which runsvdir finds it.
func runit(m *maker) error {
	dir := "/etc/sv/" + m.Service.Name
	m.file("runit", dir+"/run", 0o755)
	m.file("runit-log", dir+"/log/run", 0o755)
	link := "/etc/service/" + m.Service.Name
	m.Leftovers = []string{dir + "/supervise", dir + "/event", dir + "/log/supervise", dir + "/log/event", dir + "/log", dir}
	m.Links = []Link{{Path: link, Target: dir}}
	m.Start = []Step{optional("sv", "-w", m.wait(), "restart", link)}
	m.Stop = []Step{optional("sv", "-w", m.wait(), "force-shutdown", dir)}
	m.Status = step("sv", "status", link)
	m.Notes = append(m.Notes, "where runsvdir looks into another directory than /etc/service (Void: /var/service), make the link there: ln -s "+dir+" /var/service/")
	return nil
}

// wait is the time to end in, in seconds.
func (m *maker) wait() string { return strconv.Itoa(int(m.Kill().Seconds())) }

// LogDir is where runit's and s6's loggers write.
func (m *maker) LogDir() string { return "/var/log/" + m.Service.Name }
