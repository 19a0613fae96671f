package builders

import (
	"slices"
	"strings"

	"gobuild/pkg/buildconfig"
	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "env-variant", Severity: lint.Warning, Title: "a variable for another architecture than is built for",
		Why: "GOARM and its like matter only to their own architecture. Where neither GOARCH nor GOHOSTARCH is that, " +
			"the builder tests what it would test without the variable, whatever its name and notes say.",
		Before: `addBuilder(BuildConfig{Name: "linux-amd64-softfloat", HostType: "host-linux-amd64", env: []string{"GO386=softfloat"}})`,
		After: `addBuilder(BuildConfig{Name: "linux-386-softfloat", HostType: "host-linux-amd64",` + "\n" +
			"\t" + `env: []string{"GOARCH=386", "GOHOSTARCH=386", "GO386=softfloat"}})`,
		Section: "build protocol, section 12.2",
	},
	Check: func(p *Pass) {
		for _, b := range p.Builders {
			arches, known := p.arches(b)
			if !known || b.Rejected {
				continue
			}
			_, named, _ := strings.Cut(portOf(b.Key), "-")
			for _, e := range ownEnv(b) {
				// A builder type that is called after the architecture lacks
				// GOARCH, which builder-arch says.
				if idle(e, arches) && !slices.Contains(variantArches[e.Name], named) {
					p.Reportf(e.Node, "%s has no effect on builder type %s, which builds for %s", e.Name, b.Key, strings.Join(arches, " on "))
				}
			}
		}
		for _, h := range p.Hosts {
			p.hostVariants(h)
		}
	},
})

// variantArches are the architectures that a variable matters to.
var variantArches = map[string][]string{
	"GO386": {"386"}, "GOAMD64": {"amd64"}, "GOARM": {"arm"}, "GOARM64": {"arm64"},
	"GOMIPS": {"mips", "mipsle"}, "GOMIPS64": {"mips64", "mips64le"}, "GOPPC64": {"ppc64", "ppc64le"},
	"GORISCV64": {"riscv64"}, "GOWASM": {"wasm"},
}

// variantNames are the names of these variables.
var variantNames = []string{"GO386", "GOAMD64", "GOARM", "GOARM64", "GOMIPS", "GOMIPS64", "GOPPC64", "GORISCV64", "GOWASM"}

// idle reports whether a variable is for none of these architectures. One with
// a value that is refused anyway is left to env-value.
func idle(e envVar, arches []string) bool {
	of, ok := variantArches[e.Name]
	if !ok || e.Value == "" || slices.ContainsFunc(arches, func(a string) bool { return slices.Contains(of, a) }) {
		return false
	}
	values, ok := envValues[e.Name]
	return !ok || values.takes(e.Value)
}

// arches returns the architectures that a builder type builds for: what it
// tests, and, if another, that of its tools.
func (p *Pass) arches(b *buildconfig.Record) (list []string, known bool) {
	target, ok := p.Target(b)
	if !ok {
		return nil, false
	}
	list = []string{target.GOARCH}
	env, all := p.Environ(b)
	host, found, known := buildconfig.Setting(env, all, "GOHOSTARCH")
	tools := host.Value
	if !found || tools == "" {
		h := p.HostOf(b)
		if h == nil || !known {
			return nil, false
		}
		arch, ok := h.String("HostArch")
		part := parts(arch)
		if !ok || len(part) < 2 {
			return nil, false
		}
		tools = part[1]
	}
	if tools != target.GOARCH {
		list = append(list, tools)
	}
	return list, true
}

// hostVariants reports the variables of a host type that have no effect on any
// builder type on it.
func (p *Pass) hostVariants(h *buildconfig.Record) {
	vars := slices.DeleteFunc(ownEnv(h), func(e envVar) bool { return variantArches[e.Name] == nil })
	if len(vars) == 0 || !p.allBuilders() {
		return
	}
	var all []string
	for _, b := range p.Builders {
		name, ok := b.String("HostType")
		if ok && name != h.Key {
			continue
		}
		arches, known := p.arches(b)
		if !ok || !known {
			return
		}
		all = append(all, arches...)
	}
	for _, e := range vars {
		if len(all) > 0 && idle(e, all) {
			p.Reportf(e.Node, "%s of host type %s has no effect: no builder type on it builds for %s", e.Name, h.Key, strings.Join(variantArches[e.Name], " or "))
		}
	}
}
