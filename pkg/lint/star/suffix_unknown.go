package star

import (
	"fmt"
	"slices"
	"strings"

	"gobuild/pkg/lazyre"
	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "star-suffix-unknown", Severity: lint.Error, Fix: true, Title: "a builder type with a suffix or a run mod that nothing knows",
		Why: "A builder type is GOOS-GOARCH[_suffix][-runmod]. The suffix is made into a dimension of the bot by dimensions_of, the run mods are in RUN_MODS. " +
			"lucicfg refuses most that are unknown; a misspelled powerN or debianN goes through, and the builds wait for a bot that does not exist.",
		Before: `RUN_MODS = dict(longtest = make_run_mod())` + "\n" +
			`BUILDER_TYPES = ["linux-amd64-longtset", "linux-ppc64le_pover9"]`,
		After: `RUN_MODS = dict(longtest = make_run_mod())` + "\n" +
			`BUILDER_TYPES = ["linux-amd64-longtest", "linux-ppc64le_power9"]`,
		Section: "LUCI protocol, section 12.2",
	},
	Check: func(p *Pass) {
		mods, closed := p.keys(modTable)
		names := p.builderNames()
		for _, b := range p.builders {
			if !closed || !isPort(b.port()) {
				break
			}
			for _, mod := range b.mods {
				if slices.Contains(mods, mod) {
					continue
				}
				name, also := near(mod, mods)
				var fix *lint.Fix
				if whole := strings.TrimSuffix(b.text, mod) + name; name != "" && b.mods[len(b.mods)-1] == mod && !slices.Contains(names, whole) {
					fix = p.Replace(b.value, whole, "write "+whole)
				}
				p.ReportFix(b.node, fix, "%s has the run mod %q, which is not in %s%s", b.text, mod, modTable, also)
			}
		}
		p.eachHost(func(host string, b builder) {
			suffix := split(textValue(host)).suffix
			if suffix == "" {
				return
			}
			if problem := p.badDimensions(host); problem != "" {
				_, also := near(suffix, p.suffixes(b))
				p.Reportf(b.node, "%s has the suffix %q: %s%s", b.text, suffix, problem, also)
			}
		})
	},
})

// The forms of the dimensions os and cpu that follow from a suffix on Linux.
var (
	linuxOS  = lazyre.New(`^[A-Z][a-z]+-(\d\d(\.\d\d)?|sid)$`)
	powerCPU = lazyre.New(`^ppc64(le)?-64-POWER\d+$`)
)

// badDimensions says what is wrong with the dimensions of a host type, or
// nothing.
func (p *Pass) badDimensions(host string) string {
	dims, failure := p.dimensions(host)
	if failure != "" {
		return "lucicfg refuses it, " + failure
	}
	if dims.kind != dict || !strings.HasPrefix(host, "linux-") {
		return ""
	}
	for name, form := range map[string]*lazyre.Regexp{"os": linuxOS, "cpu": powerCPU} {
		if v, _ := dims.get(textValue(name)); v != nil && v.kind == text && !form.MatchString(v.text) {
			return fmt.Sprintf("no bot has the dimension %s:%s", name, v.text)
		}
	}
	return ""
}

// suffixes returns the suffixes that other builder types of the same operating
// system have.
func (p *Pass) suffixes(of builder) []string {
	var list []string
	for _, b := range p.builders {
		if b.goos == of.goos && b.suffix != "" && b.suffix != of.suffix && p.badDimensions(b.host) == "" {
			list = append(list, b.suffix)
		}
	}
	return list
}
