// Package buildconfig holds a farm's host types and builder types as data.
//
// A builder type (linux-amd64-race) says what is tested; it runs on a host
// type (host-linux-amd64), which says on which machines. The names of the
// fields are those of upstream's dashboard/builders.go, and a Config's JSON
// is that of its page /builders?mode=json (build protocol, section 7.4), so
// that a farm may take over upstream's. Checking a builders.go for mistakes
// is left to package lint.
package buildconfig

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// Config is a farm's set of host types and builder types. It is not to be
// changed once it is shared between goroutines.
type Config struct {
	Builders map[string]*Builder // by name
	Hosts    map[string]*Host    // by host type
}

// Host is a host type (build protocol, section 12.1).
type Host struct {
	HostType            string        // equal to the key in Config.Hosts
	HostArch            string        // GOOS-GOARCH, with a suffix such as GOARM
	GoBootstrap         string        // Go version that builds Go there; none: the machine brings its own
	VMImage             string        // image of a cloud VM
	ContainerImage      string        // image of a container
	IsReverse           bool          // dedicated machine that registers itself
	RegularDisk         bool          // cloud VM with a plain disk
	MinCPUPlatform      string        // cloud VM's least CPU
	IsEC2               bool          // cloud VM at EC2
	CustomDeleteTimeout time.Duration // life of a VM, in nanoseconds
	ExpectNum           int           // machines that should be connected
	HermeticReverse     bool          // fresh file system for each connection
	GoogleReverse       bool          // dedicated machine run by Google
	NestedVirt          bool          // container with nested virtualization
	KonletVMImage       string        // image that runs the container
	Owners              []*Person     // whom to ask about the machines
	Notes               string        // free text
	SSHUsername         string        // whom ssh logs in as; empty: no ssh
	RootDriveSizeGB     int64         // disk of a cloud VM, in 10^9 bytes
}

// Person is an owner of machines.
type Person struct {
	Name    string
	GitHub  string
	Gerrit  string
	Emails  []string
	Googler bool
	Bot     bool
}

// Builder is a builder type (build protocol, section 12.2), its exported
// fields only: what policies decide is not part of upstream's JSON.
type Builder struct {
	Name                string   // GOOS-GOARCH, perhaps with suffixes
	HostType            string   // a key of Config.Hosts
	KnownIssues         []int    // issue numbers that explain why it fails
	Notes               string   // free text
	CompileOnly         bool     // builds, but does not run the tests
	FlakyNet            bool     // the network there cannot be relied on
	RunBench            bool     // benchmarks are run
	MinimumGoVersion    Version  // first Go release that it builds
	SkipSnapshot        bool     // leaves no snapshot behind
	StopAfterMake       bool     // stops after make.bash
	InstallRacePackages []string // packages installed with -race
	GoDeps              []string // git hashes that a revision must descend from
	TestHostConf        *Host    // host type for the tests, if another
	// FullEnv is what Env returns, where a builders.go has been read; upstream's
	// JSON does not have it.
	FullEnv []string `json:"-"`
}

// Version is a Go release, as 1.21.
type Version struct{ Major, Minor int }

// HostTypes returns the names of all host types, sorted.
func (c *Config) HostTypes() []string { return slices.Sorted(maps.Keys(c.Hosts)) }

// BuilderNames returns the names of all builder types, sorted.
func (c *Config) BuilderNames() []string { return slices.Sorted(maps.Keys(c.Builders)) }

// Env returns the variables that b adds to the environment of its commands
// (build protocol, section 12.2).
func (b *Builder) Env() []string {
	if b.FullEnv != nil {
		return slices.Clone(b.FullEnv)
	}
	env := []string{"GO_BUILDER_NAME=" + b.Name}
	if b.FlakyNet {
		env = append(env, "GO_BUILDER_FLAKY_NET=1")
	}
	if slices.Contains(strings.Split(b.Name, "-"), "longtest") {
		env = append(env, "GO_TEST_SHORT=0")
	}
	return env
}

// PoolName says in words what kind of machine h is, as upstream's pages do
// (build protocol, section 12.1).
func (h *Host) PoolName() string {
	switch {
	case h.IsReverse:
		return "Reverse (dedicated machine/VM)"
	case h.IsEC2:
		return "EC2 VM Container"
	case h.VMImage != "":
		return "GCE VM"
	case h.ContainerImage != "":
		return "Container"
	}
	return "unknown"
}

// Read reads a Config in the JSON form of /builders?mode=json and checks it.
// All that is wrong is reported in one error, a line each.
func Read(r io.Reader) (*Config, error) {
	var c Config
	dec := json.NewDecoder(r)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&c); err != nil {
		return nil, fmt.Errorf("read host and builder types: %w", err)
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	return &c, nil
}

// check fills in what is derived and returns what is wrong.
func (c *Config) check() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	for _, key := range c.HostTypes() {
		h := c.Hosts[key]
		switch {
		case h == nil:
			bad("host type %q: no description", key)
			continue
		case h.HostType == "":
			h.HostType = key
		case h.HostType != key:
			bad("host type %q: its HostType says %q", key, h.HostType)
		}
		if slices.Contains(h.Owners, nil) {
			bad("host type %q: an owner is null", key)
		}
		if h.HostArch == "" {
			h.HostArch = archOf(key)
		}
		if h.HostArch == "" {
			bad("host type %q: HostArch is missing and the name is not host-GOOS-GOARCH", key)
		}
	}
	for _, key := range c.BuilderNames() {
		b := c.Builders[key]
		switch {
		case b == nil:
			bad("builder type %q: no description", key)
			continue
		case b.Name == "":
			b.Name = key
		}
		if c.Hosts[b.HostType] == nil {
			bad("builder type %q: unknown host type %q", key, b.HostType)
		}
	}
	return errors.Join(errs...)
}

// archOf derives HostArch from a host type's name: its 2nd and 3rd part, plus
// -7 for arm (build protocol, section 12.1).
func archOf(hostType string) string {
	part := strings.Split(hostType, "-")
	if len(part) < 3 {
		return ""
	}
	arch := part[1] + "-" + part[2]
	if part[2] == "arm" {
		arch += "-7"
	}
	return arch
}
