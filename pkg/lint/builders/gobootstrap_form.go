package builders

import (
	"go/ast"
	"strconv"

	"gobuild/pkg/buildconfig"
	"gobuild/pkg/lazyre"
	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "gobootstrap-form", Severity: lint.Error, Title: "a GoBootstrap that is no release of Go",
		Why: "The bootstrap Go comes from https://go.dev/dl/VERSION.HOSTARCH.tar.gz. A version there is written " +
			"go1.24.6; since Go 1.21 the first of a series has its .0 too. Anything else is not found, and each build fails at its start. " +
			"none stands for a machine that has its own. Host types on Windows get theirs from elsewhere and are not looked at.",
		Before:  `"host-linux-amd64-bookworm": {ContainerImage: "linux-x86-bookworm:latest", GoBootstrap: "1.24.6"},`,
		After:   `"host-linux-amd64-bookworm": {ContainerImage: "linux-x86-bookworm:latest", GoBootstrap: "go1.24.6"},`,
		Fix:     true,
		Section: "build protocol, section 12.1",
	},
	Check: func(p *Pass) {
		for _, h := range p.Hosts {
			version, known := h.String("GoBootstrap")
			if goos, _, _, ok := hostArch(h); !known || !ok || goos == "windows" || version == "" || version == "none" {
				continue
			}
			p.bootstrapForm(p.bootstrapNode(h), version)
		}
	},
})

// release is how a release of Go is written, in its parts.
var release = lazyre.New(`^go1(?:\.(\d+)(?:\.(\d+))?((?:beta|rc)\d+)?)?$`)

// releaseOf returns the parts of a version of Go that can be fetched.
func releaseOf(version string) (minor, patch int, ok bool) {
	m := release.FindStringSubmatch(version)
	if m == nil {
		return 0, 0, false
	}
	minor, _ = strconv.Atoi(m[1])
	patch, _ = strconv.Atoi(m[2])
	return minor, patch, minor < 21 || m[2] != "" || m[3] != ""
}

func (p *Pass) bootstrapForm(at ast.Node, version string) {
	if _, _, ok := releaseOf(version); ok {
		return
	}
	var fix *lint.Fix
	better := "go" + version
	if _, _, ok := releaseOf(better); ok {
		fix = p.setText(at, better, "write "+better)
	} else {
		better = ""
	}
	if release.MatchString(version) {
		p.Reportf(at, "GoBootstrap %q is no release of Go: since Go 1.21 each has three numbers, such as %s.0", version, version)
		return
	}
	p.ReportFix(at, fix, "GoBootstrap %q is no release of Go: it is none, or a version such as go1.24.6%s", version, offer(better))
}

// bootstrapNode returns what says which bootstrap Go a host type gets: its own
// field, else the constant for all.
func (p *Pass) bootstrapNode(h *buildconfig.Record) ast.Node {
	if at := p.tableValue("GoBootstrap"); at != nil && !h.Written("GoBootstrap") {
		return at
	}
	return h.Node("GoBootstrap")
}
