package release

import (
	"bytes"
	"debug/buildinfo"
	"debug/elf"
	"debug/macho"
	"debug/pe"
	"debug/plan9obj"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"gobuild/pkg/hint"
	"gobuild/pkg/ports"
)

// Program is what the header of an executable file tells.
type Program struct {
	// Format is the kind of file: ELF, Mach-O, PE, Plan 9 a.out or XCOFF.
	Format string
	// Ports are what it can be for; one, if the go command built it.
	Ports []ports.Port
	// Version is that of its main module, such as v1.2.3, if it has one.
	Version string
}

// errNoProgram is for what has no header that we know.
var errNoProgram = errors.New("it is no program: it begins like none that Go makes")

// ReadProgram reads the header of a file.
func ReadProgram(file string) (Program, error) {
	f, err := os.Open(file)
	if err != nil {
		return Program{}, err
	}
	defer f.Close()
	p, err := readHeader(f)
	if err != nil {
		return Program{}, fmt.Errorf("%s: %w", file, err)
	}
	info, err := buildinfo.Read(f)
	if err != nil {
		return p, nil // of another compiler; the header has to do
	}
	if v := info.Main.Version; v != "(devel)" {
		p.Version = v
	}
	var port ports.Port
	for _, s := range info.Settings {
		switch s.Key {
		case "GOOS":
			port.GOOS = s.Value
		case "GOARCH":
			port.GOARCH = s.Value
		}
	}
	switch {
	case port.GOOS == "" || port.GOARCH == "":
		return p, nil
	case !slices.Contains(p.Ports, port):
		return Program{}, fmt.Errorf("%s: the header is that of %s, but the go command says that it built it for %s", file, p, port)
	}
	p.Ports = []ports.Port{port}
	return p, nil
}

// String names the ports.
func (p Program) String() string {
	names := make([]string, len(p.Ports))
	for i, port := range p.Ports {
		names[i] = port.String()
	}
	return strings.Join(names, " or ")
}

// RunsOn returns an error unless the program can be for port.
func (p Program) RunsOn(port ports.Port) error {
	if slices.Contains(p.Ports, port) {
		return nil
	}
	return hint.With(fmt.Errorf("the program is for %s, not for %s", p, port), "it was built, named or published for the wrong port")
}

// readHeader tells what a file is by its first bytes.
func readHeader(f io.ReaderAt) (Program, error) {
	var magic [4]byte
	if _, err := f.ReadAt(magic[:], 0); err != nil {
		return Program{}, errNoProgram
	}
	switch {
	case string(magic[:]) == elf.ELFMAG:
		return elfProgram(f)
	case bytes.Equal(magic[:], []byte{0xcf, 0xfa, 0xed, 0xfe}), bytes.Equal(magic[:], []byte{0xfe, 0xed, 0xfa, 0xcf}):
		return machoProgram(f)
	case string(magic[:2]) == "MZ":
		return peProgram(f)
	case magic[0] == 0x01 && magic[1] == 0xf7: // 64 bits; Go makes no other
		return known("XCOFF", "ppc64", "aix")
	}
	switch binary.BigEndian.Uint32(magic[:]) {
	case plan9obj.Magic386:
		return known("Plan 9 a.out", "386", "plan9")
	case plan9obj.MagicAMD64:
		return known("Plan 9 a.out", "amd64", "plan9")
	case plan9obj.MagicARM:
		return known("Plan 9 a.out", "arm", "plan9")
	}
	return Program{}, errNoProgram
}

// known returns a program of those of Go's ports that have the architecture
// and one of the systems.
func known(format, goarch string, systems ...string) (Program, error) {
	p := Program{Format: format}
	for _, goos := range systems {
		if port := (ports.Port{GOOS: goos, GOARCH: goarch}); port.Known() {
			p.Ports = append(p.Ports, port)
		}
	}
	if len(p.Ports) == 0 {
		return Program{}, fmt.Errorf("a program (%s) for a machine that Go has no port of", format)
	}
	return p, nil
}

// elfSystems are the systems whose programs are ELF files. Only some of them
// are marked in the header.
var elfSystems = []string{"linux", "android", "dragonfly", "freebsd", "illumos", "netbsd", "openbsd", "solaris"}

func elfProgram(r io.ReaderAt) (Program, error) {
	f, err := elf.NewFile(r)
	if err != nil {
		return Program{}, fmt.Errorf("a damaged program: %w", err)
	}
	wide, little := f.Class == elf.ELFCLASS64, f.Data == elf.ELFDATA2LSB
	var goarch string
	switch f.Machine {
	case elf.EM_386:
		goarch = "386"
	case elf.EM_X86_64:
		goarch = "amd64"
	case elf.EM_ARM:
		goarch = "arm"
	case elf.EM_AARCH64:
		goarch = "arm64"
	case elf.EM_LOONGARCH:
		goarch = "loong64"
	case elf.EM_MIPS:
		goarch = "mips"
		if wide {
			goarch += "64"
		}
		if little {
			goarch += "le"
		}
	case elf.EM_PPC64:
		goarch = "ppc64"
		if little {
			goarch += "le"
		}
	case elf.EM_RISCV:
		goarch = "riscv64"
	case elf.EM_S390:
		goarch = "s390x"
	default:
		return Program{}, fmt.Errorf("a program for %v, which Go has no port of", f.Machine)
	}
	systems := elfSystems
	switch f.OSABI {
	case elf.ELFOSABI_FREEBSD:
		systems = []string{"freebsd"}
	case elf.ELFOSABI_NETBSD:
		systems = []string{"netbsd"}
	case elf.ELFOSABI_OPENBSD:
		systems = []string{"openbsd"}
	case elf.ELFOSABI_SOLARIS:
		systems = []string{"solaris", "illumos"}
	}
	return known("ELF", goarch, systems...)
}

func machoProgram(r io.ReaderAt) (Program, error) {
	f, err := macho.NewFile(r)
	if err != nil {
		return Program{}, fmt.Errorf("a damaged program: %w", err)
	}
	goarch := ""
	switch f.Cpu {
	case macho.CpuAmd64:
		goarch = "amd64"
	case macho.CpuArm64:
		goarch = "arm64"
	}
	return known("Mach-O", goarch, "darwin", "ios")
}

func peProgram(r io.ReaderAt) (Program, error) {
	f, err := pe.NewFile(r)
	if err != nil {
		return Program{}, fmt.Errorf("a damaged program: %w", err)
	}
	goarch := ""
	switch f.Machine {
	case pe.IMAGE_FILE_MACHINE_I386:
		goarch = "386"
	case pe.IMAGE_FILE_MACHINE_AMD64:
		goarch = "amd64"
	case pe.IMAGE_FILE_MACHINE_ARM64:
		goarch = "arm64"
	}
	return known("PE", goarch, "windows")
}
