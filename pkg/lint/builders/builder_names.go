package builders

import (
	"go/ast"
	"go/token"
	"slices"
	"strconv"
	"strings"

	"gobuild/pkg/buildconfig"
	"gobuild/pkg/hint"
	"gobuild/pkg/ports"
)

// upstream reports whether the file is of the package that golang.org/x/build's
// own tests are about.
func (p *Pass) upstream() bool { return p.ImportPath == "golang.org/x/build/dashboard" }

// allHosts reports whether p.Hosts are certainly all.
func (p *Pass) allHosts() bool {
	return p.HasHosts && p.HostsOpen == "" && p.Stopped == "" && len(p.Syntax) == 0
}

// allBuilders reports whether p.Builders are certainly all.
func (p *Pass) allBuilders() bool {
	return p.HasBuilders && p.BuildersOpen == "" && p.Stopped == "" && len(p.Syntax) == 0
}

// place returns where to look for what a builder type is called: of one that a
// function makes, the call of the function.
func place(b *buildconfig.Record) ast.Node {
	if b.Call != nil && b.Lit != nil && (b.Lit.Pos() < b.Call.Pos() || b.Lit.End() > b.Call.End()) {
		return b.Call
	}
	return b.Node("Name")
}

// didYouMean offers the nearest of known, if one is near.
func didYouMean(name string, known []string) string { return offer(hint.Nearest(name, known)) }

// literalText returns the text of a string literal.
func literalText(at ast.Node) (string, bool) {
	lit, ok := at.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(lit.Value)
	return text, err == nil
}

// former are ports that Go had once, or that are not finished: builder types
// of them are no mistakes.
var former = []string{
	"darwin-386", "darwin-arm", "dragonfly-386", "freebsd-amd64p32", "freebsd-riscv64", "linux-sparc64",
	"nacl-386", "nacl-amd64p32", "nacl-arm", "openbsd-mips64", "windows-arm",
}

// knownPort reports whether Go has, or had, the port.
func knownPort(port string) bool {
	goos, goarch, _ := strings.Cut(port, "-")
	return (ports.Port{GOOS: goos, GOARCH: goarch}).Known() || slices.Contains(former, port)
}

// portNames are the ports that Go has, as builder types write them.
func portNames() []string {
	var names []string
	for _, port := range ports.All() {
		names = append(names, port.String())
	}
	return names
}

const miscCompile = "misc-compile-"

// portOf returns the port that a builder type's name says, "" if it says none.
func portOf(name string) string {
	part := parts(strings.TrimPrefix(name, miscCompile))
	if len(part) < 2 || part[0] == "misc" {
		return ""
	}
	return part[0] + "-" + part[1]
}

// wellKnown are the parts of a builder type's name that say what is special.
var wellKnown = []string{"race", "longtest", "nocgo", "noopt", "softfloat", "ssacheck", "boringcrypto"}

// orField returns where an element of a list stands, if that is in the builder
// type's literal, else where its field does.
func orField(b *buildconfig.Record, field string, e buildconfig.Element) ast.Node {
	if e.Node != nil && b.Lit != nil && b.Lit.Pos() <= e.Node.Pos() && e.Node.End() <= b.Lit.End() {
		return e.Node
	}
	return b.Node(field)
}

// orName returns where a variable of a builder type stands if that is its own,
// else where its name does.
func orName(b *buildconfig.Record, v buildconfig.Var) ast.Node {
	if v.Own && v.Node != nil {
		return v.Node
	}
	return place(b)
}
