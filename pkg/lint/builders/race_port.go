package builders

import (
	"slices"

	"gobuild/pkg/lint"
)

// racePorts are the ports with a race detector, as of Go 1.26
// (internal/platform.RaceDetectorSupported).
var racePorts = []string{
	"darwin-amd64", "darwin-arm64", "freebsd-amd64", "linux-amd64", "linux-arm64", "linux-loong64",
	"linux-ppc64le", "linux-riscv64", "linux-s390x", "netbsd-amd64", "windows-amd64",
}

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "race-port", Severity: lint.Warning, Title: "a race builder of a port without a race detector",
		Why: "A builder type with `race` in its name runs race.bash. " +
			"On a port that the race detector does not work on, the go command refuses -race and every build fails.",
		Before: `addBuilder(BuildConfig{Name: "linux-386-race", HostType: "host-linux-amd64-bullseye", env: []string{"GOARCH=386", "GOHOSTARCH=386"}})`,
		After:  `addBuilder(BuildConfig{Name: "linux-amd64-race", HostType: "host-linux-amd64-bullseye"})`,
	},
	Check: func(p *Pass) {
		for _, b := range p.Builders {
			port := portOf(b.Key)
			if b.Rejected || !slices.Contains(parts(b.Key), "race") || !knownPort(port) || slices.Contains(racePorts, port) {
				continue
			}
			if target, known := p.Target(b); known && target.GOOS+"-"+target.GOARCH != port {
				continue // it is called after another port than its own
			}
			p.Reportf(place(b), "builder type %s is a race builder, but there is no race detector for %s", b.Key, port)
		}
	},
})
