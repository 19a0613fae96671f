package unit

import (
	"errors"
	"slices"
	"strings"

	"gobuild/pkg/hint"
)

// credential is what systemd calls the secret that it hands over.
const credential = "builder.key"

// systemd plans a unit of systemd 240 or newer; one with a key, of 247.
func systemd(m *maker) error {
	s := m.Service
	if strings.ContainsAny(s.Program, `$"\`) {
		return hint.With(errors.New("systemd cannot start a program with $, \" or \\ in its path"), "move it, or name another with --exec")
	}
	for _, file := range []string{s.WorkDir, s.KeyFile} {
		// These stand unquoted at the end of a line.
		if strings.TrimSpace(file) != file || strings.HasSuffix(file, `\`) {
			return errors.New("systemd cannot take a path that ends in white space or in a backslash")
		}
	}
	m.file("systemd", "/etc/systemd/system/"+s.Name+".service", 0o644)
	m.Enable = []Step{step("systemctl", "daemon-reload"), step("systemctl", "enable", s.Name+".service")}
	m.Start = []Step{step("systemctl", "restart", s.Name+".service")}
	m.Stop = []Step{optional("systemctl", "stop", s.Name+".service")}
	m.Disable = []Step{optional("systemctl", "disable", s.Name+".service")}
	m.Clean = []Step{step("systemctl", "daemon-reload"), quiet("systemctl", "reset-failed", s.Name+".service")}
	m.Status = step("systemctl", "show", "--property=ActiveState,SubState,StatusText,Result,NRestarts", s.Name+".service")
	return nil
}

// Exec is the command line of ExecStart=.
func (m *maker) Exec() string {
	line := joinQuoted(quoteExec, append([]string{m.Service.Program}, m.Service.Args...))
	if m.Service.KeyFile != "" {
		line += " " + quoteExec(m.Service.KeyFlag) + " ${CREDENTIALS_DIRECTORY}/" + credential
	}
	return line
}

// Credential is the name of the secret.
func (m *maker) Credential() string { return credential }

// Environment are the variables of a unit.
func (m *maker) Environment() []string {
	if m.Service.Builds {
		return append([]string{"HOME=" + m.Home}, m.Service.Env...)
	}
	return m.Service.Env
}

// OwnWork reports whether the work directory is the default one, which systemd
// makes.
func (m *maker) OwnWork() bool { return m.Service.WorkDir == WorkDir(Systemd, m.Service.Name) }

// Writable are the directories that have to be let through ProtectSystem=.
func (m *maker) Writable() []string {
	var dirs []string
	if m.Service.Builds && !below(m.Home, m.Service.WorkDir) {
		dirs = append(dirs, m.Service.WorkDir)
	}
	return append(dirs, m.Service.Shared...)
}

// seen are the files that the service needs to see.
func (m *maker) seen() []string {
	s := m.Service
	return slices.Concat([]string{s.Program, s.WorkDir}, s.Reads, s.Shared)
}

func (m *maker) seesBelow(dirs ...string) bool {
	return slices.ContainsFunc(m.seen(), func(file string) bool {
		return slices.ContainsFunc(dirs, func(dir string) bool { return below(dir, file) })
	})
}

// ProtectHome hides the users' directories, if nothing that is needed lies
// there.
func (m *maker) ProtectHome() string {
	if m.seesBelow("/home", "/root", "/run/user") {
		return "read-only"
	}
	return "true"
}

// PrivateTmp gives the service a /tmp of its own, if nothing that is needed
// lies in the machine's.
func (m *maker) PrivateTmp() string {
	if m.seesBelow("/tmp", "/var/tmp") {
		return "false"
	}
	return "true"
}
