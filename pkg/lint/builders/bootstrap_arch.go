package builders

import (
	"slices"
	"strings"

	"gobuild/pkg/buildconfig"
	"gobuild/pkg/lazyre"
	"gobuild/pkg/lint"
	"gobuild/pkg/ports"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "bootstrap-arch", Severity: lint.Warning, Title: "an image or a bootstrap Go for another architecture than the machines have",
		Why: "The name of the image, or the path in GOROOT_BOOTSTRAP, names an architecture or a port that machines of this HostArch do not run. " +
			"x86 in an image stands for both 386 and amd64; images with a cross compiler and those for wasm are left alone.",
		Before:  `"host-linux-arm64-bullseye": {ContainerImage: "linux-x86-bullseye:latest"},`,
		After:   `"host-linux-arm64-bullseye": {ContainerImage: "linux-arm64-bullseye:latest"},`,
		Section: "build protocol, section 12.1",
	},
	Check: func(p *Pass) {
		users, _ := p.users()
		for _, h := range p.Hosts {
			goos, goarch, _, ok := hostArch(h)
			machine := ports.Port{GOOS: goos, GOARCH: goarch}
			if !ok || !machine.Known() && !slices.Contains(former, machine.String()) {
				continue
			}
			p.images(h, machine)
			p.bootstraps(h, "host type "+h.Key, machine)
			for _, b := range users[h.Key] {
				if name, ok := b.String("HostType"); ok && name == h.Key && !b.Rejected {
					p.bootstraps(b, "builder type "+b.Key, machine)
				}
			}
		}
	},
})

// images looks at the names of a host type's images.
func (p *Pass) images(h *buildconfig.Record, machine ports.Port) {
	for _, field := range []string{"VMImage", "ContainerImage", "KonletVMImage"} {
		image, ok := h.String(field)
		words := archWords(image)
		if !ok || image == "" || slices.Contains(words, "cross") || slices.Contains(words, "wasm") {
			continue
		}
		var arches []string
		for _, w := range words {
			switch {
			case w == "x86":
				arches = append(arches, "386", "amd64")
			case ports.KnownArch(w):
				arches = append(arches, w)
			}
		}
		runs := func(arch string) bool { return arch == machine.GOARCH || narrow[arch] == machine.GOARCH }
		switch {
		case len(arches) > 0 && !slices.ContainsFunc(arches, runs):
			p.Reportf(h.Node(field), "%s %q of host type %s is for %s by its name, but the machines are %s", field, image, h.Key, strings.Join(arches, " and "), machine)
		case field == "VMImage" && ports.KnownOS(words[0]) && words[0] != machine.GOOS && len(words) > 1:
			p.Reportf(h.Node(field), "%s %q of host type %s is for %s by its name, but the machines are %s", field, image, h.Key, words[0], machine)
		}
	}
}

// bootstraps looks at the path of the Go that a record starts from.
func (p *Pass) bootstraps(r *buildconfig.Record, what string, machine ports.Port) {
	list, _ := r.List("env")
	for _, e := range list {
		text, _ := e.String()
		path, ok := strings.CutPrefix(text, "GOROOT_BOOTSTRAP=")
		if !ok {
			continue
		}
		at := orField(r, "env", e)
		words := archWords(path)
		var arches []string
		for i, w := range words {
			if !ports.KnownArch(w) || w == "wasm" {
				continue
			}
			arches = append(arches, w)
			if i > 0 && ports.KnownOS(words[i-1]) && !serves(words[i-1], machine.GOOS) {
				p.Reportf(at, "GOROOT_BOOTSTRAP of %s is for %s-%s by its path, but the machines are %s", what, words[i-1], w, machine)
				arches = nil
				break
			}
		}
		if len(arches) > 0 && !slices.ContainsFunc(arches, func(a string) bool { return wide(a) == wide(machine.GOARCH) }) {
			p.Reportf(at, "GOROOT_BOOTSTRAP of %s is for %s by its path, but the machines are %s", what, strings.Join(arches, " and "), machine)
		}
	}
}

// narrow are the architectures of 32 bits that machines of 64 run too.
var narrow = map[string]string{"amd64": "386", "arm64": "arm", "mips64": "mips", "mips64le": "mipsle"}

// wide returns the architecture of 64 bits that runs an architecture too.
func wide(goarch string) string {
	for w, n := range narrow {
		if n == goarch {
			return w
		}
	}
	return goarch
}

// serves reports whether programs for one system run on another.
func serves(goos, on string) bool {
	return goos == on || goos == "linux" && on == "android" || goos == "darwin" && on == "ios"
}

// archWords returns the words of a path or the name of an image, with
// architectures as Go calls them.
func archWords(text string) []string {
	text = strings.NewReplacer("x86_64", "amd64", "x86-64", "amd64").Replace(strings.ToLower(text))
	words := notWord.Split(text, -1)
	for i, w := range words {
		switch w {
		case "i386", "i686":
			words[i] = "386"
		case "aarch64":
			words[i] = "arm64"
		}
	}
	return words
}

var notWord = lazyre.New(`[^a-z0-9]+`)
