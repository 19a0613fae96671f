package star

import (
	"slices"

	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "star-default-suffix", Severity: lint.Warning, Title: "a default suffix that is of no use, or that nothing knows",
		Why: "DEFAULT_HOST_SUFFIX pins the version of the operating system for builder types of that port without a suffix. " +
			"Without such a builder type the entry is never looked up. Machines of which there are few are better not pinned: their version is not in the hands of the farm.",
		Before: `LOW_CAPACITY_HOSTS = []` + "\n" +
			`BUILDER_TYPES = ["linux-amd64"]` + "\n" +
			`DEFAULT_HOST_SUFFIX = {"linux-adm64": "debian12"}`,
		After: `LOW_CAPACITY_HOSTS = []` + "\n" +
			`BUILDER_TYPES = ["linux-amd64"]` + "\n" +
			`DEFAULT_HOST_SUFFIX = {"linux-amd64": "debian12"}`,
		Section: "LUCI protocol, section 12.2",
	},
	Check: func(p *Pass) {
		items, _ := p.dict(suffixTable)
		low, _ := p.list(lowTable)
		for _, it := range items {
			if it.key.kind != text || it.val.kind != text {
				continue
			}
			host := it.key.text
			pinned := host + "_" + it.val.text
			if key := split(it.key); key.suffix != "" || len(key.mods) > 0 {
				p.Reportf(it.key.node, "a default suffix is looked up by GOOS-GOARCH alone: %s is never looked up", host)
				continue
			}
			if !p.pins(host, pinned) {
				_, also := nearHost(host, slices.DeleteFunc(slices.Clone(p.hosts), func(h string) bool { return split(textValue(h)).suffix != "" }))
				p.Reportf(it.key.node, "no builder type without a suffix runs on %s%s", host, also)
				continue
			}
			if problem := p.badDimensions(pinned); problem != "" {
				_, also := near(it.val.text, p.suffixes(builder{goos: split(it.key).goos}))
				p.Reportf(it.val.node, "the suffix %q of %s: %s%s", it.val.text, host, problem, also)
			}
			if slices.ContainsFunc(low, func(v *value) bool { return v.text == host }) {
				p.Reportf(it.key.node, "%s is in %s: a default suffix pins the version of machines of which there are few", host, lowTable)
			}
		}
	},
})

// pins reports whether a default suffix is looked up: for the host type itself
// or for one that runs on the same machines, as linux-386 does on linux-amd64.
// It is true as well if that is not known.
func (p *Pass) pins(host, pinned string) bool {
	if !p.closed || slices.Contains(p.hosts, host) {
		return true
	}
	want, failure := p.dimensions(pinned)
	if failure != "" {
		want = anything
	}
	for _, h := range p.hosts {
		if split(textValue(h)).suffix != "" || want == anything && split(textValue(h)).goarch != "386" {
			continue
		}
		dims, failure := p.dimensions(h)
		if failure != "" {
			continue
		}
		if same, known := equal(dims, want); same || !known {
			return true
		}
	}
	return false
}
