package unit

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"text/template"
	"time"

	"gobuild/pkg/hint"
)

// Init is an init system, or what else keeps programs running.
type Init string

// The init systems.
const (
	Systemd     Init = "systemd"
	Launchd     Init = "launchd"
	OpenRC      Init = "openrc"
	RCFreeBSD   Init = "rcd-freebsd"
	RCNetBSD    Init = "rcd-netbsd"
	RCOpenBSD   Init = "rcd-openbsd"
	RCDragonFly Init = "rcd-dragonfly"
	SMF         Init = "smf"
	Runit       Init = "runit"
	S6          Init = "s6"
	Supervisord Init = "supervisord"
	Windows     Init = "windows"
	Cron        Init = "cron"
	Plan9       Init = "plan9"
)

// Inits lists the init systems.
func Inits() []Init {
	return []Init{Systemd, Launchd, OpenRC, RCFreeBSD, RCNetBSD, RCOpenBSD, RCDragonFly, SMF, Runit, S6, Supervisord, Windows, Cron, Plan9}
}

// Plan is everything that a service needs on a machine.
type Plan struct {
	Init    Init
	Service Service
	Files   []File
	Dirs    []Dir
	Links   []Link
	// Enable has the init system take the files up, Start starts the service
	// (or the changed one anew), Stop ends it and Disable has the init system
	// forget it, both before the files go; Clean comes after that.
	Enable, Start, Stop, Disable, Clean []Step
	// Status asks the init system how the service is.
	Status Step
	// Notes say what a person has to see to, one sentence each.
	Notes []string
	// Leftovers are what a supervisor makes beside the files, and nobody needs
	// once they are gone.
	Leftovers []string
}

// File is a file of a plan.
type File struct {
	Path string
	Text string
	Mode fs.FileMode
	// Check is a command that is given the file's name before it is put into
	// its place; none if the command is missing.
	Check []string
}

// Dir is a directory that has to be there.
type Dir struct {
	Path  string
	Owner string // empty for the system's own
	Mode  fs.FileMode
}

// Link is a symbolic link by which a supervisor finds a service. It is made at
// the start, and taken away at the end.
type Link struct{ Path, Target string }

// Step is a command of the init system.
type Step struct {
	Argv []string
	// Optional steps may fail: what they do may have been done already.
	Optional bool
	// Quiet steps mostly fail, for want of something to do: no failure of
	// theirs is told.
	Quiet bool
	// Pick are the beginnings of the lines of output that matter; none for
	// all.
	Pick []string
}

func step(argv ...string) Step { return Step{Argv: argv} }

func optional(argv ...string) Step { return Step{Argv: argv, Optional: true} }

func quiet(argv ...string) Step { return Step{Argv: argv, Optional: true, Quiet: true} }

// Mark stands in every file that is installed: what has it may be replaced
// and removed.
const Mark = `Made by "gobuild service"`

// HomeDir returns the directory in which a service lives, by the customs of
// the system.
func HomeDir(system Init, name string) string {
	switch system {
	case Windows:
		return `C:\ProgramData\` + name
	case Launchd, RCFreeBSD, RCNetBSD, RCOpenBSD, RCDragonFly:
		return "/var/db/" + name
	case SMF:
		return "/var/opt/" + name
	}
	return "/var/lib/" + name
}

// WorkDir returns the directory in which a worker works by default. It is not
// HomeDir: a bot deletes there what it does not know.
func WorkDir(system Init, name string) string {
	if system == Windows {
		return HomeDir(system, name) + `\work`
	}
	return HomeDir(system, name) + "/work"
}

// BuildHome returns the home directory of what a worker builds that is the
// system's own.
func BuildHome(system Init, name string) string { return HomeDir(system, name) + "/home" }

// DefaultProgram returns where gobuild lies by the customs of the system.
func DefaultProgram(system Init) string {
	switch system {
	case Windows:
		return `C:\Program Files\gobuild\gobuild.exe`
	case Plan9:
		return "/bin/gobuild"
	case SMF:
		return "/opt/gobuild/bin/gobuild"
	}
	return "/usr/local/bin/gobuild"
}

// runScript returns where the run script of a service lies.
func runScript(system Init, name string) string {
	if system == SMF {
		return "/opt/gobuild/libexec/" + name
	}
	return "/usr/local/libexec/" + name
}

// planner fills in what is special about an init system.
type planner func(*maker) error

// maker is a plan in the making.
type maker struct {
	Plan
	Home   string
	Script string
	err    error
}

// Make returns what service needs under system. It asks nothing of this
// machine.
func Make(system Init, service Service) (Plan, error) {
	planners := map[Init]planner{
		Systemd: systemd, Launchd: launchd, OpenRC: openRC,
		RCFreeBSD: rcFreeBSD, RCNetBSD: rcOther, RCDragonFly: rcOther, RCOpenBSD: rcOpenBSD,
		SMF: smf, Runit: runit, S6: s6, Supervisord: supervisord,
		Windows: windows, Cron: cron, Plan9: plan9,
	}
	fill, ok := planners[system]
	if !ok {
		return Plan{}, unknownInit(string(system))
	}
	if service.WorkDir == "" && service.Builds {
		service.WorkDir = WorkDir(system, service.Name)
	}
	if err := service.check(system); err != nil {
		return Plan{}, err
	}
	m := &maker{
		Plan:   Plan{Init: system, Service: service},
		Home:   HomeDir(system, service.Name),
		Script: runScript(system, service.Name),
	}
	m.dirs()
	if err := fill(m); err != nil {
		return Plan{}, err
	}
	if service.AllowReboot {
		m.sudoers()
	}
	m.notes()
	return m.Plan, m.err
}

// ParseInit returns the init system of a name.
func ParseInit(name string) (Init, error) {
	if !slices.Contains(Inits(), Init(name)) {
		return "", unknownInit(name)
	}
	return Init(name), nil
}

func unknownInit(name string) error {
	var names []string
	for _, known := range Inits() {
		names = append(names, string(known))
	}
	return hint.With(fmt.Errorf("init system %q is not known", name), "one of %s", strings.Join(names, ", "))
}

// dirs plans the directories of the service.
func (m *maker) dirs() {
	s := m.Service
	if s.Builds {
		owner := s.User
		if s.Builder != "" {
			owner = "root" // and nobody else's
		}
		m.Dirs = append(m.Dirs, Dir{m.Home, owner, 0o755}, Dir{s.WorkDir, owner, 0o755})
		if s.Builder != "" {
			m.Dirs = append(m.Dirs, Dir{BuildHome(m.Init, s.Name), s.Builder, 0o755})
		}
	}
	for _, dir := range s.Shared {
		m.Dirs = append(m.Dirs, Dir{dir, s.User, 0o755})
	}
}

// notes plans what a person has to see to.
func (m *maker) notes() {
	s := m.Service
	if s.KeyFile != "" && s.Builder != "" {
		m.Notes = append(m.Notes, fmt.Sprintf("%s has to be readable for root alone: chown root %s && chmod 600 %[2]s", s.KeyFile, quoteShell(s.KeyFile)))
	} else if s.KeyFile != "" && m.Init != Systemd && m.Init != Windows && m.Init != Plan9 {
		m.Notes = append(m.Notes, fmt.Sprintf("%s has to be readable for the worker, and for nobody else: chown root:%s %[3]s && chmod 640 %[3]s", s.KeyFile, s.User, quoteShell(s.KeyFile)))
	}
	if s.MemoryMax != "" && m.Init != Systemd {
		m.Notes = append(m.Notes, "a limit of memory is systemd's alone; here it is not set")
	}
}

// file plans a file from a template.
func (m *maker) file(name, path string, mode fs.FileMode) {
	m.Files = append(m.Files, File{Path: path, Text: m.text(name), Mode: mode})
}

//go:embed templates/*.tmpl
var templates embed.FS

// text returns the text of a template; the first error stays in m.err.
func (m *maker) text(name string) string {
	t, err := template.New(name+".tmpl").Funcs(template.FuncMap{
		"mark":    func() string { return Mark },
		"sh":      quoteShell,
		"rc":      quoteRC,
		"sd":      quoteSystemd,
		"sdplain": plainSystemd,
		"xml":     quoteXML,
		"smf":     quoteSMF,
		"ps":      quotePowerShell,
		"assign":  func(pair string) string { return assign(quoteShell, pair) },
		"rcset":   func(pair string) string { return assign(quoteRC, pair) },
		"key":     func(pair string) string { key, _, _ := strings.Cut(pair, "="); return key },
		"value":   func(pair string) string { _, value, _ := strings.Cut(pair, "="); return value },
		"seconds": func(d time.Duration) int { return int(d.Round(time.Second) / time.Second) },
	}).ParseFS(templates, "templates/"+name+".tmpl")
	var b strings.Builder
	if err == nil {
		err = t.Execute(&b, m)
	}
	if err != nil && m.err == nil {
		m.err = fmt.Errorf("unit text: %w", err)
	}
	return b.String()
}

// Kill returns the time after which an init system kills: the service's own
// deadline comes first.
func (m *maker) Kill() time.Duration { return m.Service.StopWait + 30*time.Second }

// Underscored is the name where a shell variable is made of it.
func (m *maker) Underscored() string { return m.Service.underscored() }

// Command returns the program and its arguments.
func (m *maker) Command() []string { return m.Service.command() }

// ShellCommand returns the command for a shell.
func (m *maker) ShellCommand() string { return joinQuoted(quoteShell, m.Service.command()) }

// unixPath is where programs are looked for, on the one system or the other.
const unixPath = "/usr/local/sbin:/usr/local/bin:/usr/pkg/sbin:/usr/pkg/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Env returns the variables of the service.
func (m *maker) Env() []string {
	if m.Init == Launchd {
		return m.Service.env("/opt/homebrew/bin:" + unixPath)
	}
	return m.Service.env(unixPath)
}

// GetUser returns the user by name: root where there is none of its own.
func (m *maker) GetUser() string {
	if m.Service.User == "" {
		return "root"
	}
	return m.Service.User
}

// BuildUser returns the user that builds run as.
func (m *maker) BuildUser() string { return m.Service.account() }

// BuildHome is the home directory of builds.
func (m *maker) BuildHome() string { return BuildHome(m.Init, m.Service.Name) }

// Dir returns the directory in which the service starts.
func (m *maker) Dir() string {
	if m.Service.Builds {
		return m.Home
	}
	return "/"
}
