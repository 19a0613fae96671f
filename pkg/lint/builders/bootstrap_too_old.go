package builders

import (
	"gobuild/pkg/buildconfig"
	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "bootstrap-too-old", Severity: lint.Info, Title: "a bootstrap Go that is too old for Go's master branch",
		Why: "Go 1.26 and later are built with Go 1.24.6 or later (go.dev/doc/install/source). Where a builder type " +
			"builds the go repository at master with an older one, cmd/dist ends at once.",
		Before: `"host-linux-amd64-old": {VMImage: "linux-amd64-old", GoBootstrap: "go1.22.6"},` + "\n" +
			`addBuilder(BuildConfig{Name: "linux-amd64", HostType: "host-linux-amd64-old"})`,
		After: `"host-linux-amd64-old": {VMImage: "linux-amd64-old", GoBootstrap: "go1.24.6"},` + "\n" +
			`addBuilder(BuildConfig{Name: "linux-amd64", HostType: "host-linux-amd64-old"})`,
		Section: "build protocol, section 12.1",
	},
	Check: func(p *Pass) {
		master := map[string]*buildconfig.Record{}
		for _, b := range p.Builders {
			h := p.HostOf(b)
			if h == nil || !certain(b) || master[h.Key] != nil || !p.oldBootstrap(h) {
				continue
			}
			if yes, known := p.Builds(b, "go", "master", "master"); yes && known {
				master[h.Key] = b
			}
		}
		for _, h := range p.Hosts {
			if b := master[h.Key]; b != nil {
				version, _ := h.String("GoBootstrap")
				at := p.bootstrapNode(h)
				p.Reportf(at, "%s is too old to build the master branch of Go, as %s does: it takes %s or later", version, who(b, h), oldestBootstrap)
			}
		}
	},
})

// oldestBootstrap is the oldest Go that builds Go 1.26.
const oldestBootstrap = "go1.24.6"

// who names the builder type, or none where the version is that of all: one
// finding is enough then.
func who(b, h *buildconfig.Record) string {
	if h.Written("GoBootstrap") {
		return "builder type " + b.Key
	}
	return "a builder type"
}

func (p *Pass) oldBootstrap(h *buildconfig.Record) bool {
	version, known := h.String("GoBootstrap")
	if !known || version == "" || version == "none" {
		return false
	}
	minor, patch, ok := releaseOf(version)
	return ok && (minor < 24 || minor == 24 && patch < 6)
}
