package builders

import (
	"bytes"
	"go/ast"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gobuild/pkg/hint"
	"gobuild/pkg/lint"
)

// pinned are the builder types that upstream's dashboard/builders_test.go names
// in 2026, among them those that the coordinator starts with in staging.
var pinned = strings.Fields(`
aix-ppc64
android-386-emu android-amd64-emu android-arm-corellium android-arm64-corellium
darwin-amd64-10_15 darwin-amd64-11_0 darwin-amd64-longtest darwin-amd64-race
dragonfly-amd64-622
freebsd-386-12_3 freebsd-386-13_0 freebsd-amd64-12_3 freebsd-amd64-13_0 freebsd-amd64-race
ios-arm64-corellium
js-wasm-node18
linux-386-longtest linux-386-softfloat
linux-amd64 linux-amd64-androidemu linux-amd64-bookworm linux-amd64-bullseye linux-amd64-clang linux-amd64-fedora
linux-amd64-longtest linux-amd64-longtest-race linux-amd64-newinliner linux-amd64-nocgo linux-amd64-race
linux-amd64-sid linux-amd64-ssacheck linux-amd64-staticlockranking
linux-loong64-3a5000
netbsd-386-9_3 netbsd-amd64-9_3
openbsd-amd64-72
plan9-386 plan9-amd64-0intro plan9-arm
wasip1-wasm-wasmedge wasip1-wasm-wasmer wasip1-wasm-wasmtime wasip1-wasm-wazero
windows-386-2016 windows-amd64-2016 windows-amd64-longtest windows-amd64-race
`)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "required-builder", Severity: lint.Error, Title: "a builder type that golang.org/x/build cannot do without is missing",
		Why: "Tests of golang.org/x/build, and its coordinator in staging, name these builder types; `go test ./dashboard` fails without them. " +
			"Of those known, the ones count that builders_test.go beside the file names. The rule is for package dashboard of the module golang.org/x/build only.",
		Before:  `addBuilder(BuildConfig{Name: "linux-amd64-longtest-rcae", HostType: "host-linux-amd64-bullseye"})`,
		After:   `addBuilder(BuildConfig{Name: "linux-amd64-longtest-race", HostType: "host-linux-amd64-bullseye"})`,
		Section: "build protocol, section 12.3, rules 24, 25 and 27",
	},
	Check: func(p *Pass) {
		if !p.upstream() || !p.allBuilders() {
			return
		}
		for _, name := range p.required() {
			if p.Builder(name) == nil {
				at, near, told := p.instead(name)
				if told {
					continue
				}
				p.Reportf(at, "there is no builder type %s, which tests of golang.org/x/build name%s", name, near)
			}
		}
	},
})

// lacks reports whether a builder type is required and certainly not there.
func (p *Pass) lacks(name string) bool {
	return p.upstream() && p.allBuilders() && p.Builder(name) == nil && slices.Contains(p.required(), name)
}

// maxTest bounds the test file that is looked into, in bytes.
const maxTest = 4 << 20

// required returns the builder types that tests beside the file name; without
// tests all that are pinned, if the module is of their time.
func (p *Pass) required() []string {
	file := filepath.Join(filepath.Dir(p.Name), "builders_test.go")
	info, err := os.Stat(file)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxTest {
		if _, known := p.Keys(portedPackage, portedTable); !known {
			return nil
		}
		return pinned
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(pinned), func(name string) bool {
		return !bytes.Contains(text, []byte(`"`+name+`"`)) && !bytes.Contains(text, []byte(`"`+name+`@`))
	})
}

// instead returns the place of the builder type that is most likely meant by
// name, with the end of a sentence about it, or else that of the table. told is
// set if another rule says what is wrong with it.
func (p *Pass) instead(name string) (at ast.Node, about string, told bool) {
	expected := map[string]bool{}
	for _, other := range p.required() {
		expected[other] = true
	}
	keys, _ := p.Keys(portedPackage, portedTable)
	for _, e := range keys {
		if text, ok := e.String(); ok {
			expected[text] = true
		}
	}
	candidates := slices.DeleteFunc(p.BuilderNames(), func(other string) bool { return expected[other] })
	if near := hint.Nearest(name, candidates); near != "" {
		b := p.Builder(near)
		target, known := p.Target(b)
		port := portOf(near)
		return place(b), "; is it " + near + "?", known && port != target.GOOS+"-"+target.GOARCH
	}
	return p.declared("Builders"), "", false
}

// declared returns the name of a variable where it is declared, or nil.
func (p *Pass) declared(name string) ast.Node {
	for _, d := range p.File.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.VAR {
			continue
		}
		for _, spec := range g.Specs {
			if s, ok := spec.(*ast.ValueSpec); ok {
				if i := slices.IndexFunc(s.Names, func(id *ast.Ident) bool { return id.Name == name }); i >= 0 {
					return s.Names[i]
				}
			}
		}
	}
	return nil
}
