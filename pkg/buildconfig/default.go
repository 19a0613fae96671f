package buildconfig

import "strings"

// LocalHostType and LocalBuilder are upstream's names for trying the farm's
// parts on one machine.
const (
	LocalHostType = "host-linux-amd64-localdev"
	LocalBuilder  = "linux-amd64-localdev"
)

// ports are the pairs on which a worker runs: what `go tool dist list` shows
// of Go 1.26, without js, wasip1, android and ios.
const ports = `
aix/ppc64
darwin/amd64 darwin/arm64
dragonfly/amd64
freebsd/386 freebsd/amd64 freebsd/arm freebsd/arm64
illumos/amd64
linux/386 linux/amd64 linux/arm linux/arm64 linux/loong64 linux/mips linux/mips64 linux/mips64le
linux/mipsle linux/ppc64 linux/ppc64le linux/riscv64 linux/s390x
netbsd/386 netbsd/amd64 netbsd/arm netbsd/arm64
openbsd/386 openbsd/amd64 openbsd/arm openbsd/arm64 openbsd/ppc64 openbsd/riscv64
plan9/386 plan9/amd64 plan9/arm
solaris/amd64
windows/386 windows/amd64 windows/arm64
`

// Default returns the configuration of a farm that brings none: for each port
// GOOS/GOARCH a host type host-GOOS-GOARCH of dedicated machines and a
// builder type GOOS-GOARCH on it, and upstream's pair for one machine. No
// machine is expected, so none is missed.
func Default() *Config {
	c := &Config{Builders: map[string]*Builder{}, Hosts: map[string]*Host{}}
	add := func(builder, hostType, notes string) {
		c.Hosts[hostType] = &Host{
			HostType:    hostType,
			HostArch:    archOf(hostType),
			GoBootstrap: "none",
			IsReverse:   true,
			Notes:       notes,
		}
		c.Builders[builder] = &Builder{Name: builder, HostType: hostType, Notes: notes}
	}
	for port := range strings.FieldsSeq(ports) {
		name := strings.Replace(port, "/", "-", 1)
		add(name, "host-"+name, "")
	}
	add(LocalBuilder, LocalHostType, "for trying coordinator, buildlet and gomote on one machine")
	return c
}
