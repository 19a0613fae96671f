package stage0

import (
	"strings"
	"testing"
)

// The tables of the build protocol, section 6.
func TestArgs(t *testing.T) {
	rev := func(hostType string) string {
		return "--halt=false --reverse-type=" + hostType + " --coordinator=farmer.golang.org:443"
	}
	for _, tt := range []struct {
		env, port, want string
		warn            bool
	}{
		{"", "linux/amd64", "", false},
		{"host-of-mine", "linux/amd64", "", false},
		{"host-linux-arm-aws", "linux/arm", "--workdir=/w", false},
		{"host-linux-arm-other", "linux/arm", "", true},
		{"anything", "linux/arm64", "", true},
		{"host-linux-loong64-3a5000", "linux/loong64", rev("host-linux-loong64-3a5000") + " --workdir=/w", false},
		{"host-freebsd-riscv64-unmatched", "freebsd/riscv64", rev("host-freebsd-riscv64-unmatched") + " --workdir=/w", false},
		{"host-linux-mips64-rtrk", "linux/mips64", rev("host-linux-mips64-rtrk") + " --workdir=/w --hostname=host-linux-mips64-rtrk", false},
		{"host-linux-riscv64-unmatched", "linux/riscv64", rev("host-linux-riscv64-unmatched"), false},
		{"host-linux-ppc64-sid-power10", "linux/ppc64", rev("host-linux-ppc64-sid-power10"), false},
		{"", "linux/s390x", "--workdir=/data/golang/workdir " + rev("host-linux-s390x"), false},
		{"", "solaris/amd64", rev(""), false},
		{"host-illumos-amd64-x", "illumos/amd64", rev("host-illumos-amd64-x"), false},
		{"host-windows11-arm64-azure", "windows/arm64", rev("host-windows11-arm64-azure"), false},
		{"", "windows/arm64", "", true},
	} {
		goos, goarch, _ := strings.Cut(tt.port, "/")
		getenv := func(name string) string { return map[string]string{"GO_BUILDER_ENV": tt.env, "WORKDIR": "/w"}[name] }
		args, warnings := Args(getenv, goos, goarch)
		if got := strings.Join(args, " "); got != tt.want || (len(warnings) > 0) != tt.warn {
			t.Errorf("%s on %s: %q, %q; want %q", tt.env, tt.port, got, warnings, tt.want)
		}
	}
	only := func(name string) string { return map[string]string{"GO_BUILDER_ENV": "host-linux-arm-aws"}[name] }
	if args, warnings := Args(only, "linux", "arm"); len(warnings) != 1 || args[0] != "--workdir=" {
		t.Errorf("without WORKDIR: %q, %q", args, warnings)
	}
}

func TestURL(t *testing.T) {
	none := func(string) string { return "" }
	if got := URL(none, "plan9", "arm"); got != "https://storage.googleapis.com/go-builder-data/buildlet.plan9-arm" {
		t.Error(got)
	}
	set := func(name string) string { return map[string]string{"META_BUILDLET_BINARY_URL": "https://f/b"}[name] }
	if got := URL(set, "plan9", "arm"); got != "https://f/b" {
		t.Error(got)
	}
	if got := Netcheck("https://f:1/dl/b?x"); got != "https://f:1/netcheck" {
		t.Error(got)
	}
}
