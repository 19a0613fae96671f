package doctor

import (
	"context"
	"slices"
	"strings"
)

// The groups of checks, which are the headings of a report.
const (
	groupMachine  = "Machine"
	groupSystem   = "System"
	groupIdentity = "Identity"
	groupNetwork  = "Network"
)

// Where the requirements come from.
const (
	fromWiki       = "wiki page DashboardBuilders, Builder Requirements"
	fromQuarantine = "LUCI protocol, section 9.9"
)

// check is a thing to look at.
type check struct {
	id, title, group string
	target           Target // the kind of farm that it is for
	network          bool   // uses the network
	settings         bool   // looks at settings of its target: without any it has nothing to say
	wanted, section  string // of each of its findings that does not say otherwise
	run              func(*exam, context.Context) []Finding
}

// checks is every check there is, in the order of a report.
var checks = []check{
	{id: "cpus", title: "CPUs", group: groupMachine, wanted: "2 or more", section: fromWiki, run: (*exam).cpus},
	{id: "memory", title: "memory", group: groupMachine, wanted: "512 MiB, better 1 GiB or more", section: fromWiki, run: (*exam).memory},
	{id: "disk", title: "disk", group: groupMachine, section: fromWiki + "; " + fromQuarantine, run: (*exam).disk},
	{id: "temp", title: "temporary files", group: groupMachine, wanted: "writable, at most 1024 entries", section: fromQuarantine, run: (*exam).temp},
	{id: "files", title: "open files", group: groupMachine, wanted: "1024 or more for a process", run: (*exam).files},
	{id: "processes", title: "processes", group: groupMachine, wanted: "500 or more", run: (*exam).processes},
	{id: "port", title: "port", group: groupMachine, run: (*exam).port},

	{id: "python", title: "Python", group: groupSystem, target: TargetLUCI, wanted: "3.7 to 3.13, as python3 in PATH", section: fromWiki + "; LUCI protocol, section 9.2", run: (*exam).python},
	{id: "user", title: "user", group: groupSystem, wanted: "not root", section: fromWiki, run: (*exam).user},
	{id: "home", title: "home directory", group: groupSystem, target: TargetLUCI, wanted: "set, there, and not the work directory", section: fromQuarantine, run: (*exam).homeDir},
	{id: "reboot", title: "reboot", group: groupSystem, target: TargetLUCI, wanted: "allowed through sudo without a password", section: fromWiki + "; LUCI protocol, section 9.6", run: (*exam).reboot},
	{id: "supervisor", title: "supervisor", group: groupSystem, wanted: "something that starts the worker again", section: "wiki page DashboardBuilders", run: (*exam).supervisor},
	{id: "instance", title: "workers", group: groupSystem, wanted: "one at most", section: "LUCI protocol, section 9.1", run: (*exam).instance},

	{id: "hostname", title: "host name", group: groupIdentity, section: "LUCI protocol, section 11", run: (*exam).hostname},
	{id: "key", title: "private key", group: groupIdentity, target: TargetLUCI, settings: true, wanted: "RSA, PKCS#1, for the token daemon's eyes only", section: "LUCI protocol, sections 7.3 and 7.9", run: (*exam).privateKey},
	{id: "certificate", title: "certificate", group: groupIdentity, target: TargetLUCI, settings: true, wanted: "valid, for this host name and this key", section: "LUCI protocol, sections 4 and 7.3", run: (*exam).certificate},
	{id: "token", title: "token file", group: groupIdentity, target: TargetLUCI, wanted: "fresh, for this host name, readable by the bot", section: "LUCI protocol, sections 7.4, 7.6 and 7.9", run: (*exam).token},
	{id: "builder-key", title: "builder key", group: groupIdentity, target: TargetCoordinator, settings: true, wanted: "32 hex digits, mode 0600", section: "build protocol, section 1", run: (*exam).keyFile},
	{id: "whoami", title: "key at the farm", group: groupIdentity, target: TargetCoordinator, settings: true, network: true, wanted: "takes the builder key", section: "build protocol, section 1", run: (*exam).whoami},

	{id: "reach", title: "hosts", group: groupNetwork, network: true, section: fromWiki, run: (*exam).reach},
	{id: "clock", title: "clock", group: groupNetwork, network: true, wanted: "within 1 minute; LUCI refuses more than 10", section: "LUCI protocol, section 4", run: (*exam).clock},
}

// Checks returns the names of all checks, in the order of a report.
func Checks() []string {
	var names []string
	for _, c := range checks {
		names = append(names, c.id)
	}
	return names
}

// selected returns the checks of these names, or all.
func selected(names []string) []check {
	if names == nil {
		return checks
	}
	return slices.DeleteFunc(slices.Clone(checks), func(c check) bool {
		return !slices.ContainsFunc(names, func(name string) bool {
			name, _, _ = strings.Cut(name, "/")
			return name == c.id
		})
	})
}

// titles returns the titles of checks.
func titles(list []check) []string {
	var titles []string
	for _, c := range list {
		titles = append(titles, c.title)
	}
	return titles
}
