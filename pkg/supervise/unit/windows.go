package unit

import (
	"errors"
	"strings"

	"gobuild/pkg/hint"
)

// LogVariable names the file that a Windows service writes to: the service
// manager gives it no place for its output.
const LogVariable = "GOBUILD_SERVICE_LOG"

// windows plans a script that makes a service of the service control manager.
func windows(m *maker) error {
	if strings.Contains(m.BinPath(), "%") {
		return hint.With(errors.New("the service manager takes % in a command for a variable, and has no way to write it"), "put the value into the configuration file")
	}
	name := m.Service.Name
	// Not in the service's own directory, where it could change what an
	// administrator runs.
	script := `C:\ProgramData\gobuild\` + name + ".ps1"
	// Without a byte order mark PowerShell 5 does not read it as UTF-8.
	m.Files = append(m.Files, File{Path: script, Text: "\ufeff" + m.text("windows"), Mode: 0o644})
	m.Enable = []Step{step("powershell.exe", "-NoProfile", "-NonInteractive", "-ExecutionPolicy", "Bypass", "-File", script)}
	m.Start = []Step{step("sc.exe", "start", name)}
	m.Stop = []Step{optional("sc.exe", "stop", name)}
	m.Disable = []Step{optional("sc.exe", "delete", name)}
	m.Status = Step{Argv: []string{"sc.exe", "query", name}, Pick: []string{"STATE"}}
	if m.Service.AllowReboot {
		m.Notes = append(m.Notes, `give `+m.Account()+` the right "Shut down the system" (SeShutdownPrivilege) in secpol.msc`)
	}
	return nil
}

// BinPath is the command line of the service.
func (m *maker) BinPath() string { return joinQuoted(quoteWindows, m.Service.command()) }

// Account is whom the service runs as: by default an account that is the
// service's alone and has no password.
func (m *maker) Account() string {
	switch user := m.Service.User; user {
	case "":
		return "LocalSystem"
	case m.Service.Name:
		return `NT SERVICE\` + user
	default:
		return user
	}
}

// WindowsEnv are the variables of the service.
func (m *maker) WindowsEnv() []string {
	return append([]string{LogVariable + "=" + m.Home + `\` + m.Service.Name + ".log"}, m.Service.Env...)
}
