package release

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gobuild/pkg/ports"
)

// build compiles a program that does nothing for a port.
func build(t *testing.T, port ports.Port, flags ...string) string {
	t.Helper()
	dir := t.TempDir()
	src := filepath.Join(dir, "main.go")
	if err := os.WriteFile(src, []byte("package main\n\nfunc main() {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "program")
	cmd := exec.Command("go", append(append([]string{"build", "-o", out}, flags...), src)...)
	cmd.Env = append(os.Environ(), "GOOS="+port.GOOS, "GOARCH="+port.GOARCH, "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return out
}

// What the go command builds for a port is known as that port's, and by its
// header alone, if that says less, as that of a few.
func TestReadProgram(t *testing.T) {
	for _, tt := range []struct{ port, format, header string }{
		{"linux-amd64", "ELF", "linux-amd64 or android-amd64 or dragonfly-amd64 or freebsd-amd64 or illumos-amd64 or netbsd-amd64 or openbsd-amd64 or solaris-amd64"},
		{"linux-mipsle", "ELF", "linux-mipsle"},
		{"freebsd-arm64", "ELF", "freebsd-arm64"},
		{"windows-386", "PE", "windows-386"},
		{"plan9-arm", "Plan 9 a.out", "plan9-arm"},
		{"aix-ppc64", "XCOFF", "aix-ppc64"},
		{"darwin-arm64", "Mach-O", "darwin-arm64 or ios-arm64"},
	} {
		t.Run(tt.port, func(t *testing.T) {
			port, err := ports.Parse(tt.port)
			if err != nil {
				t.Fatal(err)
			}
			file := build(t, port, "-ldflags=-s -w")
			p, err := ReadProgram(file)
			if err != nil {
				t.Fatal(err)
			}
			if p.Format != tt.format || p.String() != tt.port {
				t.Errorf("%s for %s", p.Format, p)
			}
			if err := p.RunsOn(port); err != nil {
				t.Error(err)
			}
			if err := p.RunsOn(ports.Port{GOOS: "solaris", GOARCH: "amd64"}); err == nil {
				t.Error("it is said to run on solaris")
			}
			f, err := os.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if p, err := readHeader(f); err != nil || p.String() != tt.header {
				t.Errorf("by its header it is for %s (%v), want %s", p, err, tt.header)
			}
		})
	}
}

// A header that was changed does not pass for what the go command has noted.
func TestReadProgramChanged(t *testing.T) {
	file := build(t, ports.Port{GOOS: "linux", GOARCH: "amd64"})
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	data[18] = 183 // e_machine: AArch64
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if p, err := ReadProgram(file); err == nil || !strings.Contains(err.Error(), "built it for linux-amd64") {
		t.Errorf("it is taken for %v: %v", p, err)
	}
}

func TestReadProgramRefuses(t *testing.T) {
	for name, data := range map[string]string{
		"empty":     "",
		"text":      "#!/bin/sh\n",
		"HTML":      "<html><body>Sign in</body></html>",
		"cut ELF":   "\x7fELF\x02\x01\x01",
		"cut PE":    "MZ\x00\x00",
		"cut Mach":  "\xcf\xfa\xed\xfe\x00",
		"other ELF": "\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x2b\x00\x01\x00\x00\x00" + strings.Repeat("\x00", 40),
	} {
		file := filepath.Join(t.TempDir(), "f")
		if err := os.WriteFile(file, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
		if p, err := ReadProgram(file); err == nil {
			t.Errorf("%s: taken for a program for %v", name, p)
		}
	}
}
