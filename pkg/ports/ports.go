// Package ports knows the ports of Go: the pairs of operating system and
// architecture that the go command builds for.
//
// It is the one list that host names, host types and default configurations
// are made of and checked against. What a farm does with a port is left to
// others.
package ports

import (
	"fmt"
	"slices"
	"strings"

	"gobuild/pkg/hint"
)

// list is what `go tool dist list` shows of Go 1.26; a test compares them.
const list = `
aix/ppc64
android/386 android/amd64 android/arm android/arm64
darwin/amd64 darwin/arm64
dragonfly/amd64
freebsd/386 freebsd/amd64 freebsd/arm freebsd/arm64
illumos/amd64
ios/amd64 ios/arm64
js/wasm
linux/386 linux/amd64 linux/arm linux/arm64 linux/loong64 linux/mips linux/mips64 linux/mips64le
linux/mipsle linux/ppc64 linux/ppc64le linux/riscv64 linux/s390x
netbsd/386 netbsd/amd64 netbsd/arm netbsd/arm64
openbsd/386 openbsd/amd64 openbsd/arm openbsd/arm64 openbsd/ppc64 openbsd/riscv64
plan9/386 plan9/amd64 plan9/arm
solaris/amd64
wasip1/wasm
windows/386 windows/amd64 windows/arm64
`

// Port is an operating system and an architecture, in the go command's words.
type Port struct {
	GOOS, GOARCH string
}

// all is list, parsed.
var all = func() []Port {
	var ports []Port
	for word := range strings.FieldsSeq(list) {
		goos, goarch, _ := strings.Cut(word, "/")
		ports = append(ports, Port{goos, goarch})
	}
	return ports
}()

// All returns every port of Go, sorted by name.
func All() []Port { return slices.Clone(all) }

// Workers returns the ports on which a worker runs: all that the go command
// links without help of another linker, js and wasip1 apart.
func Workers() []Port {
	return slices.DeleteFunc(All(), func(p Port) bool {
		switch p.GOOS {
		case "js", "wasip1", "android", "ios":
			return true
		}
		return false
	})
}

// String returns the port as GOOS-GOARCH, which is how builder types, host
// types and bot host names write it.
func (p Port) String() string { return p.GOOS + "-" + p.GOARCH }

// Known reports whether Go has the port.
func (p Port) Known() bool { return slices.Contains(all, p) }

// KnownOS reports whether a port of Go has this operating system.
func KnownOS(goos string) bool {
	return slices.ContainsFunc(all, func(p Port) bool { return p.GOOS == goos })
}

// KnownArch reports whether a port of Go has this architecture.
func KnownArch(goarch string) bool {
	return slices.ContainsFunc(all, func(p Port) bool { return p.GOARCH == goarch })
}

// Parse returns the port that text names, written GOOS-GOARCH or GOOS/GOARCH.
// The error of an unknown one has the right form, or the nearest, as its hint.
func Parse(text string) (Port, error) {
	goos, goarch, found := strings.Cut(strings.Replace(text, "/", "-", 1), "-")
	p := Port{goos, goarch}
	switch {
	case p.Known():
		return p, nil
	case !found || goos == "" || goarch == "":
		return Port{}, hint.With(fmt.Errorf("%.60q is no port", text), "a port is written GOOS-GOARCH, such as linux-riscv64%s", nearest(text, ", or %s"))
	case Port{goarch, goos}.Known():
		return Port{}, hint.With(fmt.Errorf("%.60q has the operating system behind the architecture", text), "write %s-%s", goarch, goos)
	}
	return Port{}, hint.With(fmt.Errorf("%.60q is no port of Go", text), "%s`go tool dist list` shows all", nearest(p.String(), "did you mean %s? "))
}

// nearest returns format with the port that name is a slip of the finger for,
// or nothing.
func nearest(name, format string) string {
	var names []string
	for _, p := range all {
		names = append(names, p.String())
	}
	if near := hint.Nearest(strings.ToLower(name), names); near != "" {
		return fmt.Sprintf(format, near)
	}
	return ""
}
