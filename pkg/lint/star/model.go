package star

import (
	"slices"
	"strings"

	"gobuild/pkg/hint"
	"gobuild/pkg/lazyre"
	"gobuild/pkg/ports"
)

// The tables that have rules.
const (
	builderTable = "BUILDER_TYPES"
	lowTable     = "LOW_CAPACITY_HOSTS"
	tbdTable     = "TBD_CAPACITY_HOSTS"
	googleTable  = "GOOGLE_LOW_CAPACITY_HOSTS"
	slowTable    = "SLOW_HOSTS"
	contactTable = "HOST_CONTACT_EMAILS"
	suffixTable  = "DEFAULT_HOST_SUFFIX"
	modTable     = "RUN_MODS"
	projectTable = "PROJECTS"
)

// branchTables are the tables of Go's branches: for all repositories, for some
// and for the security fixes.
var branchTables = lazyre.New(`^([A-Z_]+_)?GO_BRANCHES$`)

// capacityTables are the lists of hosts of which there are few.
var capacityTables = []string{googleTable, tbdTable, lowTable}

// builder is an entry of BUILDER_TYPES: GOOS-GOARCH[_suffix][-runmod...].
type builder struct {
	*value
	goos, goarch, suffix string
	mods                 []string
	host                 string // its host type, or "" if that is not known
}

// port returns GOOS-GOARCH.
func (b builder) port() string { return b.goos + "-" + b.goarch }

// model is what the tables of a main.star say.
type model struct {
	builders []builder
	hosts    []string // the host types, each once
	closed   bool     // there are no more builders and hosts than those
	dims     map[string]dimensions
}

func newModel(e *evaluator) model {
	m := model{dims: map[string]dimensions{}}
	list, closed := e.list(builderTable)
	m.closed = closed
	for _, v := range list {
		if v.kind != text {
			m.closed = false
			continue
		}
		b := split(v)
		b.host = e.hostOf(b)
		if b.host == "" {
			m.closed = false
		} else if !slices.Contains(m.hosts, b.host) {
			m.hosts = append(m.hosts, b.host)
		}
		m.builders = append(m.builders, b)
	}
	if len(m.builders) == 0 {
		m.closed = false // a part of a file
	}
	return m
}

// split takes the name of a builder type apart.
func split(v *value) builder {
	b := builder{value: v}
	words := strings.Split(v.text, "-")
	b.goos = words[0]
	if len(words) > 1 {
		b.goarch, b.suffix, _ = strings.Cut(words[1], "_")
		b.mods = words[2:]
	}
	return b
}

// hostOf returns the host type of a builder type, or "". Where the file has no
// host_of it is the name without the run mods.
func (e *evaluator) hostOf(b builder) string {
	if e.globals["host_of"] != nil {
		v, _ := e.call("host_of", b.value)
		return v.text
	}
	if b.goarch == "wasm" || b.goarch == "" {
		return ""
	}
	return strings.Join(strings.Split(b.text, "-")[:2], "-")
}

// list returns the elements of a table that is a list, and whether those are
// all.
func (e *evaluator) list(name string) (elems []*value, closed bool) {
	v := e.globals[name]
	if v == nil || v.kind != list {
		return nil, false
	}
	return v.elems, !v.open
}

// dict returns the entries of a table that is a dict, and whether those are
// all.
func (e *evaluator) dict(name string) (items []item, closed bool) {
	v := e.globals[name]
	if v == nil || v.kind != dict {
		return nil, false
	}
	return v.items, !v.open
}

// keys returns the keys of a dict that are texts, and whether those are all.
func (e *evaluator) keys(name string) (keys []string, closed bool) {
	items, closed := e.dict(name)
	for _, it := range items {
		if it.key.kind == text {
			keys = append(keys, it.key.text)
		} else {
			closed = false
		}
	}
	return keys, closed
}

// builderNames returns the names of the builder types.
func (m *model) builderNames() []string {
	var names []string
	for _, b := range m.builders {
		names = append(names, b.text)
	}
	return names
}

// dimensions returns what a bot for a host type must be like; or why lucicfg
// fails on it. The value is unknown if that cannot be told.
func (s *Source) dimensions(host string) (v *value, failure string) {
	d, ok := s.dims[host]
	if !ok {
		d.value, d.failure = s.call("dimensions_of", textValue(host))
		s.dims[host] = d
	}
	return d.value, d.failure
}

// dimensions is what dimensions_of comes to.
type dimensions struct {
	*value
	failure string
}

// branches returns the short names of Go's branches, and whether those are
// all.
func (e *evaluator) branches() (names []string, closed bool) {
	closed = true
	for _, table := range e.tables(branchTables) {
		keys, all := e.keys(table)
		names, closed = append(names, keys...), closed && all
	}
	return names, closed && len(names) > 0
}

// tables returns the names of the file's tables that match, sorted.
func (e *evaluator) tables(name *lazyre.Regexp) []string {
	var names []string
	for n := range e.globals {
		if name.MatchString(n) {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	return names
}

// oldPorts are ports that the go command no longer lists, or not by itself,
// and that LUCI has or had builders for.
var oldPorts = []string{"freebsd-riscv64", "linux-sparc64", "openbsd-mips64", "windows-arm"}

// isPort reports whether Go has a port.
func isPort(name string) bool {
	if slices.Contains(oldPorts, name) {
		return true
	}
	_, err := ports.Parse(name)
	return err == nil && !strings.Contains(name, "/")
}

// portNames returns the names of all ports.
func portNames() []string {
	names := slices.Clone(oldPorts)
	for _, p := range ports.All() {
		names = append(names, p.String())
	}
	return names
}

// misspelled reports whether a name has a port or a run mod that there is not:
// what is near it can be put in its place then. Two right names may be near
// each other as well, such as linux-mips64 and linux-mips64le.
func (p *Pass) misspelled(name string) bool {
	b := split(textValue(name))
	mods, closed := p.keys(modTable)
	return !isPort(b.port()) || closed && slices.ContainsFunc(b.mods, func(m string) bool { return !slices.Contains(mods, m) })
}

// nearHost is near for builder types and host types. For one with a right port
// only those of that port are near.
func nearHost(name string, names []string) (nearest, words string) {
	if port := split(textValue(name)).port(); isPort(port) {
		names = slices.DeleteFunc(slices.Clone(names), func(n string) bool { return split(textValue(n)).port() != port })
	}
	return near(name, names)
}

// near returns the nearest of names, and it as the end of a sentence; or
// nothing.
func near(name string, names []string) (nearest, words string) {
	if nearest = hint.Nearest(name, names); nearest != "" && nearest != name {
		return nearest, "; did you mean " + nearest + "?"
	}
	return "", ""
}
