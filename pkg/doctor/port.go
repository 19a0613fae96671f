package doctor

import (
	"context"
	"debug/elf"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"gobuild/pkg/hint"
	"gobuild/pkg/ports"
)

// archOf gives the architecture of Go for what kernels call theirs.
var archOf = map[string][]string{
	"386":      {"i386", "i486", "i586", "i686", "i86pc32", "x86"},
	"amd64":    {"x86_64", "amd64", "i86pc"},
	"arm":      {"arm", "armv5tel", "armv5tejl", "armv6l", "armv7l", "armv7", "armv8l", "earm", "earmv6hf", "earmv7hf", "evbarm"},
	"arm64":    {"aarch64", "arm64", "aarch64eb", "evbarm64"},
	"loong64":  {"loongarch64"},
	"mips":     {"mips"},
	"mips64":   {"mips64"},
	"ppc64":    {"ppc64", "powerpc64", "powerpc"},
	"ppc64le":  {"ppc64le", "powerpc64le"},
	"riscv64":  {"riscv64", "riscv"},
	"s390x":    {"s390x"},
	"sparc64":  {"sparc64", "sun4u", "sun4v"},
	"mipsle":   {"mipsel"},
	"mips64le": {"mips64el"},
}

// runsOn lists the architectures whose kernels also run programs of another.
var runsOn = map[string][]string{
	"386":    {"amd64"},
	"arm":    {"arm64"},
	"mips":   {"mips64"},
	"mipsle": {"mips64le"},
}

// related reports whether a kernel for one of the architectures, or for both,
// may run the other's programs.
func related(a, b string) bool {
	return a == b || slices.Contains(runsOn[a], b) || slices.Contains(runsOn[b], a)
}

// port compares the port of this program with the machine, with the programs
// on it, and with the configured port.
func (e *exam) port(context.Context) []Finding {
	f := e.judgePort(runtime.GOARCH, machine(), elfArch(e.path("/bin/sh")))
	f.Wanted = "a port of Go that is this machine's own"
	if e.Port != "" {
		f.Wanted = e.Port + ", as configured"
	}
	return one(f)
}

// judgePort judges a program for the architecture own on a kernel whose
// machine goes by this name, with other programs for userland; both empty if
// they cannot be told.
func (e *exam) judgePort(own, kernel, userland string) Finding {
	found := ownPort() + variant()
	kernelArch := ""
	for arch, names := range archOf {
		if slices.Contains(names, kernel) {
			kernelArch = arch
		}
	}
	if strings.HasPrefix(kernelArch, "mips") && strings.HasPrefix(own, "mips") && strings.HasSuffix(own, "le") {
		kernelArch = strings.TrimSuffix(kernelArch, "le") + "le" // most of these kernels do not name their byte order
	}
	if kernel != "" {
		found += fmt.Sprintf("; the kernel says %s", kernel)
	}
	if userland != "" {
		found += fmt.Sprintf(", /bin/sh is for %s", userland)
	}
	if e.Port != "" {
		if _, err := ports.Parse(e.Port); err != nil {
			return warn(hint.Of(err)+"; a port that Go is yet to get is fine here", "configured: %v; this is %s", err, found)
		}
		if e.Port != ownPort() {
			return fail(fmt.Sprintf("install gobuild for %s, or mend port in the configuration", e.Port), "this gobuild is for %s", found)
		}
	}
	foreign := kernelArch != "" && kernelArch != own
	emulated := func(arch string) Finding {
		return warn(fmt.Sprintf("this program runs by emulation; a builder for %s-%s would be the machine's own", runtime.GOOS, arch), "%s", found)
	}
	switch {
	case foreign && !slices.Contains(runsOn[own], kernelArch):
		// It runs all the same: by an emulator such as QEMU or Rosetta.
		return emulated(kernelArch)
	case ports.KnownArch(userland) && !related(own, userland):
		// QEMU has the kernel name an architecture that it does not have.
		return emulated(userland)
	case foreign && e.Port == "" && userland != own:
		return warn(fmt.Sprintf("it works; if the builder is meant to be %s-%s, install gobuild for that, if not, set port in the configuration", runtime.GOOS, kernelArch), "%s", found)
	}
	return ok("%s", found)
}

// variant returns the architecture's level that this program was built for,
// such as GOARM=6, if that is not the least.
func variant() string {
	info, known := debug.ReadBuildInfo()
	if !known {
		return ""
	}
	for _, s := range info.Settings {
		if slices.Contains([]string{"GOARM", "GOMIPS", "GOMIPS64", "GOPPC64", "GO386"}, s.Key) && s.Value != "" {
			return fmt.Sprintf(" (%s=%s)", s.Key, s.Value)
		}
	}
	return ""
}

// elfArch returns the architecture of Go that an ELF program is for, or "".
func elfArch(file string) string {
	f, err := elf.Open(file)
	if err != nil {
		return ""
	}
	defer f.Close()
	little := f.Data == elf.ELFDATA2LSB
	wide := f.Class == elf.ELFCLASS64
	pick := func(is bool, yes, no string) string {
		if is {
			return yes
		}
		return no
	}
	switch f.Machine {
	case elf.EM_386:
		return "386"
	case elf.EM_X86_64:
		return "amd64"
	case elf.EM_ARM:
		return "arm"
	case elf.EM_AARCH64:
		return "arm64"
	case elf.EM_LOONGARCH:
		return "loong64"
	case elf.EM_MIPS:
		return pick(wide, "mips64", "mips") + pick(little, "le", "")
	case elf.EM_PPC64:
		return "ppc64" + pick(little, "le", "")
	case elf.EM_RISCV:
		return "riscv" + pick(wide, "64", "")
	case elf.EM_S390:
		return pick(wide, "s390x", "s390")
	case elf.EM_SPARCV9:
		return "sparc64"
	}
	return strings.ToLower(strings.TrimPrefix(f.Machine.String(), "EM_"))
}
