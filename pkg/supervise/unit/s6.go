package unit

import "strconv"

// s6 plans a service directory for s6-supervise, and the link by which
// s6-svscan finds it.
func s6(m *maker) error {
	const scan = "/run/service"
	dir := "/etc/s6/sv/" + m.Service.Name
	m.file("s6", dir+"/run", 0o755)
	m.file("s6-log", dir+"/log/run", 0o755)
	// s6's own form: nothing else may stand in it.
	m.Files = append(m.Files, File{Path: dir + "/timeout-kill", Text: strconv.FormatInt(m.Kill().Milliseconds(), 10) + "\n", Mode: 0o644})
	link := scan + "/" + m.Service.Name
	m.Leftovers = []string{dir + "/supervise", dir + "/event", dir + "/log/supervise", dir + "/log/event", dir + "/log", dir}
	m.Links = []Link{{Path: link, Target: dir}}
	m.Start = []Step{step("s6-svscanctl", "-a", scan), optional("s6-svc", "-r", link)}
	m.Stop = []Step{optional("s6-svc", "-wD", "-T", strconv.FormatInt(m.Kill().Milliseconds()+5000, 10), "-d", dir)}
	m.Clean = []Step{optional("s6-svscanctl", "-an", scan)}
	m.Status = step("s6-svstat", link)
	m.Notes = append(m.Notes, "s6-svscan's directory is "+scan+" by custom, and is often empty after a boot: add "+dir+" to what your boot scripts fill it from")
	return nil
}
