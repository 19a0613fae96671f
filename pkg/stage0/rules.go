package stage0

import (
	"fmt"
	"slices"
)

// URL returns where upstream's stage0 takes the buildlet of a port from
// (build protocol, section 6.4).
func URL(getenv func(string) string, goos, goarch string) string {
	if v := getenv("META_BUILDLET_BINARY_URL"); v != "" {
		return v
	}
	return UpstreamBucket + "buildlet." + goos + "-" + goarch
}

// UpstreamBucket is where upstream publishes its buildlets, unsigned.
const UpstreamBucket = "https://storage.googleapis.com/go-builder-data/"

// Args returns the arguments that upstream's stage0 gives the buildlet (build
// protocol, section 6.7). Where upstream panics there is a warning.
func Args(getenv func(string) string, goos, goarch string) (args, warnings []string) {
	env := getenv("GO_BUILDER_ENV")
	reverse := func(hostType string) []string {
		return []string{"--halt=false", "--reverse-type=" + hostType, "--coordinator=farmer.golang.org:443"}
	}
	workDir := "--workdir=" + getenv("WORKDIR")
	unknown := func() {
		warnings = append(warnings, fmt.Sprintf("GO_BUILDER_ENV=%q is none that upstream's stage0 knows on %s/%s", env, goos, goarch))
	}
	switch env {
	case "host-linux-arm-aws":
		args = append(args, workDir)
	case "host-linux-loong64-3a5000", "host-freebsd-riscv64-unmatched":
		args = append(reverse(env), workDir)
	case "host-linux-mips64le-rtrk", "host-linux-mips64-rtrk":
		args = append(reverse(env), workDir, "--hostname="+env)
	case "host-linux-ppc64le-power10-osu", "host-linux-ppc64le-power9-osu", "host-linux-ppc64le-osu",
		"host-linux-ppc64-sid", "host-linux-ppc64-sid-power10", "host-linux-amd64-wsl", "host-linux-riscv64-unmatched":
		args = reverse(env)
	}
	switch goos + "/" + goarch {
	case "linux/arm":
		if env != "host-linux-arm-aws" {
			unknown()
		}
	case "linux/arm64":
		unknown()
	case "linux/s390x":
		args = append(append(args, "--workdir=/data/golang/workdir"), reverse("host-linux-s390x")...)
	case "solaris/amd64", "illumos/amd64":
		args = append(args, reverse(env)...)
	case "windows/arm64":
		if env == "host-windows11-arm64-azure" {
			args = append(args, reverse(env)...)
		} else {
			unknown()
		}
	}
	if getenv("WORKDIR") == "" && slices.Contains(args, workDir) {
		warnings = append(warnings, "WORKDIR is not set: the buildlet gets an empty --workdir")
	}
	return args, warnings
}
