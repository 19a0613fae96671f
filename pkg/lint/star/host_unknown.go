package star

import (
	"slices"

	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "star-host-unknown", Severity: lint.Error, Fix: true, Title: "a host in a table that no builder type runs on",
		Why: "The lists of hosts of which there are few, and the table of slow ones, are looked up by host type: the name of a builder type " +
			"without the run mods. An entry that is none changes nothing, and lucicfg says nothing: the host that was meant is treated as one of many, or as a fast one.",
		Before:  "LOW_CAPACITY_HOSTS = [\"linux-riscv46\"]\nBUILDER_TYPES = [\"linux-riscv64\"]",
		After:   "LOW_CAPACITY_HOSTS = [\"linux-riscv64\"]\nBUILDER_TYPES = [\"linux-riscv64\"]",
		Section: "LUCI protocol, section 12.4",
	},
	Check: func(p *Pass) {
		for _, table := range capacityTables {
			list, _ := p.list(table)
			for _, v := range list {
				if v.kind == text && !slices.Contains(p.hosts, v.text) && !p.sameMachine(v.text) {
					p.reportHost(v, tableHas(list))
				}
			}
		}
		items, _ := p.dict(slowTable)
		for _, it := range items {
			if it.key.kind == text {
				p.reportHost(it.key, keyTaken(items))
			}
		}
	},
})

// reportHost reports a name that is the host type of no builder type. taken
// says what is in the table already, and so is no replacement.
func (p *Pass) reportHost(v *value, taken func(string) bool) {
	if !p.closed || slices.Contains(p.hosts, v.text) {
		return
	}
	b := split(v)
	host := p.hostOf(b)
	i := slices.Index(p.builderNames(), v.text)
	switch {
	case i >= 0 && host != "" && host != v.text:
		p.Reportf(v.node, "%s is a builder type that runs on host type %s: hosts are looked up by that", v.text, host)
		return
	case len(b.mods) > 0 && slices.Contains(p.hosts, host):
		p.Reportf(v.node, "%s is no host type: a host type is without run mods, %s", v.text, host)
		return
	}
	name, also := nearHost(v.text, p.hosts)
	var fix *lint.Fix
	if name != "" && !taken(name) && p.misspelled(v.text) {
		fix = p.Replace(v, name, "write "+name)
	}
	p.ReportFix(v.node, fix, "%s is the host type of no builder type%s", v.text, also)
}

// sameMachine reports whether a host is, under another name, that of a builder
// type: linux-amd64_debian12, where that is the default. Whether machines are
// few is asked by their dimensions. It is true as well if that is not known.
func (p *Pass) sameMachine(host string) bool {
	dims, failure := p.dimensions(host)
	if failure != "" {
		return false
	}
	for _, h := range p.hosts {
		other, failure := p.dimensions(h)
		if failure != "" {
			continue
		}
		if split(textValue(h)).port() != split(textValue(host)).port() && dims.kind == unknown {
			continue
		}
		if same, known := equal(dims, other); same || !known {
			return true
		}
	}
	return false
}

func tableHas(list []*value) func(string) bool {
	return func(name string) bool {
		return slices.ContainsFunc(list, func(v *value) bool { return v.text == name })
	}
}

func keyTaken(items []item) func(string) bool {
	return func(name string) bool {
		return slices.ContainsFunc(items, func(it item) bool { return it.key.text == name })
	}
}
