package botcert

import (
	"strings"
	"testing"

	"gobuild/pkg/ports"
)

func TestCheckHost(t *testing.T) {
	for _, tt := range []struct {
		host    string
		newPort bool
		port    string // of a good one
		handle  string
		err     string // of a bad one
		hint    string
	}{
		{host: "linux-riscv64-gopher", port: "linux-riscv64", handle: "gopher"},
		{host: "plan9-386-0intro", port: "plan9-386", handle: "0intro"},
		{host: "netbsd-arm-a-b-c", port: "netbsd-arm", handle: "a-b-c"},
		{host: "linux-sparc64-gopher", newPort: true, port: "linux-sparc64", handle: "gopher"},
		{host: "linux-amd64-gopher", newPort: true, port: "linux-amd64", handle: "gopher"},
		{host: "linux-amd64-" + strings.Repeat("x", 36), port: "linux-amd64", handle: strings.Repeat("x", 36)},

		{host: "", err: "is empty", hint: "GOOS-GOARCH-HANDLE"},
		{host: "linux-riscv64-gopher.bots.golang.org", err: "has a dot", hint: "write linux-riscv64-gopher"},
		{host: "linux-riscv64-gopher.example.com", err: "has a dot", hint: "write linux-riscv64-gopher"},
		{host: "builder.example.com", err: "has a dot", hint: "GOOS-GOARCH-HANDLE"},
		{host: "Linux-RISCV64-Gopher", err: "has capitals", hint: "write linux-riscv64-gopher"},
		{host: "linux_riscv64_gopher", err: "has an underscore", hint: "write linux-riscv64-gopher"},
		{host: "linux-riscv64-gopher--01", err: "several bots", hint: "write linux-riscv64-gopher"},
		{host: "linux-riscv64-gopher--", err: "several bots", hint: "write linux-riscv64-gopher"},
		{host: "AMD64_Linux-Gopher--02.bots.golang.org", err: "has a dot", hint: "write linux-amd64-gopher"},
		{host: "linux/riscv64-gopher", err: "characters other than", hint: "write linux-riscv64-gopher"},
		{host: " linux-riscv64-gopher\n", err: "characters other than", hint: "write linux-riscv64-gopher"},
		{host: "../linux-riscv64-gopher", err: "has a dot", hint: "GOOS-GOARCH-HANDLE"},
		{host: "linux-riscv64-göpher", err: "characters other than", hint: "GOOS-GOARCH-HANDLE"},
		{host: "riscv64-linux-gopher", err: "behind the architecture", hint: "write linux-riscv64-gopher"},
		{host: "riscv64-linux", err: "behind the architecture", hint: "write linux-riscv64-HANDLE"},
		{host: "sparc64-linux-gopher", newPort: true, err: "behind the architecture", hint: "write linux-sparc64-gopher"},
		{host: "arm64-haiku-gopher", newPort: true, err: "behind the architecture", hint: "write haiku-arm64-gopher"},
		{host: "linux-risc64-gopher", err: "no port linux-risc64", hint: "did you mean linux-riscv64-gopher?"},
		{host: "linux-sparc64-gopher", err: "no port linux-sparc64", hint: "--new-port"},
		{host: "darwin-386-gopher", err: "no port darwin-386", hint: "--new-port"},
		{host: "linux", err: "does not begin with a port", hint: "GOOS-GOARCH-HANDLE"},
		{host: "linux--gopher", newPort: true, err: "does not begin with a port", hint: "GOOS-GOARCH-HANDLE"},
		{host: "linux-riscv64", err: "lacks the handle", hint: "linux-riscv64-HANDLE"},
		{host: "linux-riscv64-", err: "lacks the handle", hint: "linux-riscv64-HANDLE"},
		{host: "linux-riscv64-a--b", err: "two dashes", hint: "GOOS-GOARCH-HANDLE"},
		{host: "linux-riscv64-gopher-", err: "cannot be a GitHub handle", hint: "GOOS-GOARCH-HANDLE"},
		{host: "js-wasm-" + strings.Repeat("x", 40), err: "cannot be a GitHub handle"},
		{host: "linux-amd64-" + strings.Repeat("x", 37), err: "49 characters; 48 are the most"},
	} {
		h, err := CheckHost(tt.host, tt.newPort)
		if tt.err != "" {
			wantError(t, err, tt.err, tt.hint)
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", tt.host, err)
			continue
		}
		if h.Name != tt.host || h.Port.String() != tt.port || h.Handle != tt.handle {
			t.Errorf("%q: %+v", tt.host, h)
		}
	}
}

// Each port of Go makes a name, and the longest of them still has room for a
// handle.
func TestCheckHostPorts(t *testing.T) {
	for _, p := range ports.All() {
		if _, err := CheckHost(p.String()+"-gopher", false); err != nil {
			t.Error(err)
		}
	}
}

// What is suggested is right.
func FuzzCheckHost(f *testing.F) {
	for _, host := range []string{"", "linux-riscv64-gopher", "Riscv64_LINUX-gopher--01.bots.golang.org", "a-b-c", "linux-amd64--1", "-", "linux-amd64-x.y"} {
		f.Add(host, true)
		f.Add(host, false)
	}
	f.Fuzz(func(t *testing.T, host string, newPort bool) {
		h, err := CheckHost(host, newPort)
		if err == nil {
			if h.Name != host || len(FQDN(host)) > 64 || strings.Contains(host, "--") || strings.ContainsAny(host, "._/\\ \n") || hostOf(FQDN(host)) != host {
				t.Errorf("%q was accepted", host)
			}
			return
		}
		if right := mendHost(mendHost(host)); right != mendHost(host) && mendHostGood(host, newPort) {
			t.Errorf("%q: suggested %q, and for that %q", host, mendHost(host), right)
		}
	})
}

func mendHostGood(host string, newPort bool) bool {
	_, err := parseHost(mendHost(host), newPort)
	return err == nil
}
