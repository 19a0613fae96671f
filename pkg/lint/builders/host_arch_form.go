package builders

import (
	"slices"
	"strings"

	"gobuild/pkg/lazyre"
	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "host-arch-form", Severity: lint.Error, Title: "a HostArch that is not of the form GOOS-GOARCH",
		Why: "HostArch names the buildlet that the machines download and the Go that they start from. " +
			"It has two parts, and for arm always a third, the GOARM: there is no one value that all chips understand. " +
			"Other architectures have a third part only for their own variable, such as GO386.",
		Before:  `HostArch: "linux-arm",`,
		After:   `HostArch: "linux-arm-7",`,
		Section: "build protocol, section 12.1",
	},
	Check: func(p *Pass) {
		for _, h := range p.Hosts {
			arch, ok := h.String("HostArch")
			if !ok || arch == "" || !h.Written("HostArch") {
				continue
			}
			part := strings.Split(arch, "-")
			switch {
			case len(part) < 2 || len(part) > 3 || slices.Contains(part, ""):
				p.Reportf(h.Node("HostArch"), "HostArch %q should be GOOS-GOARCH, such as linux-amd64", arch)
			case part[1] == "arm" && len(part) == 2:
				p.Reportf(h.Node("HostArch"), "HostArch %q should end in the GOARM of the machines: -5, -6 or -7", arch)
			case part[1] == "arm" && !slices.Contains([]string{"5", "6", "7"}, part[2]):
				p.Reportf(h.Node("HostArch"), "HostArch %q ends in %s and should end in the GOARM of the machines: -5, -6 or -7", arch, part[2])
			case part[1] != "arm" && len(part) == 3 && !levelOf(part[1], part[2]):
				p.Reportf(h.Node("HostArch"), "HostArch %q should be %s-%s: %s is no level of %s", arch, part[0], part[1], part[2], part[1])
			}
		}
	},
})

// levels are the values of the variable of each architecture that chooses what
// is expected of the machine.
var levels = map[string]*lazyre.Regexp{
	"386":      lazyre.New(`^(sse2|softfloat)$`),
	"amd64":    lazyre.New(`^v[1-4]$`),
	"arm64":    lazyre.New(`^v[89]\.\d`),
	"mips":     lazyre.New(`^(hard|soft)float$`),
	"mipsle":   lazyre.New(`^(hard|soft)float$`),
	"mips64":   lazyre.New(`^(hard|soft)float$`),
	"mips64le": lazyre.New(`^(hard|soft)float$`),
	"ppc64":    lazyre.New(`^power(8|9|10)$`),
	"ppc64le":  lazyre.New(`^power(8|9|10)$`),
	"riscv64":  lazyre.New(`^rva\d+u64$`),
}

func levelOf(goarch, text string) bool {
	re := levels[goarch]
	return re != nil && re.MatchString(text)
}
