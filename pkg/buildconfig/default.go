package buildconfig

import "gobuild/pkg/ports"

// LocalHostType and LocalBuilder are upstream's names for trying the farm's
// parts on one machine.
const (
	LocalHostType = "host-linux-amd64-localdev"
	LocalBuilder  = "linux-amd64-localdev"
)

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
	for _, port := range ports.Workers() {
		add(port.String(), "host-"+port.String(), "")
	}
	add(LocalBuilder, LocalHostType, "for trying coordinator, buildlet and gomote on one machine")
	return c
}
