package goeval

import (
	"go/ast"
	"go/build/constraint"
	"go/parser"
	"go/version"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// module is the module that a file lies in.
type module struct {
	dir, path string
	old       bool // its language is that before Go 1.22
}

// sharesLoops reports whether loops have the variables of Go before 1.22.
func (m *module) sharesLoops() bool { return m != nil && m.old }

// findModule looks for a go.mod in the directory of a file and above.
func findModule(file string) *module {
	abs, err := filepath.Abs(file)
	if err != nil {
		return nil
	}
	for dir := filepath.Dir(abs); ; dir = filepath.Dir(dir) {
		text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil {
			if path := modulePath(string(text)); path != "" {
				return &module{dir, path, before122(string(text))}
			}
			return nil
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
	}
}

// before122 reports whether the go line of a go.mod says so; without one it is
// Go 1.16.
func before122(text string) bool {
	for line := range strings.Lines(text) {
		if fields := strings.Fields(line); len(fields) >= 2 && fields[0] == "go" {
			return version.Compare("go"+fields[1], "go1.22") < 0
		}
	}
	return true
}

// modulePath returns the path in the module line of a go.mod.
func modulePath(text string) string {
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) >= 2 && fields[0] == "module" {
			return strings.Trim(fields[1], "`\"")
		}
	}
	return ""
}

// pathOf returns the import path of a directory of the module.
func (m *module) pathOf(dir string) string {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return m.path
	}
	rel, err := filepath.Rel(m.dir, abs)
	if err != nil || rel == "." {
		return m.path
	}
	return m.path + "/" + filepath.ToSlash(rel)
}

// dirOf returns the directory of a package of the module, or "".
func (m *module) dirOf(path string) string {
	if m == nil {
		return ""
	}
	if path == m.path {
		return m.dir
	}
	rel, ok := strings.CutPrefix(path, m.path+"/")
	if !ok || !filepath.IsLocal(filepath.FromSlash(rel)) {
		return ""
	}
	return filepath.Join(m.dir, filepath.FromSlash(rel))
}

// importPath returns the package of an import path. Its source is read when a
// name of it is first looked up.
func (p *Program) importPath(path string) *Package {
	pkg := p.pkgs[path]
	if pkg == nil {
		pkg = newPackage(path)
		p.pkgs[path] = pkg
	}
	return pkg
}

// load reads the source of pkg if it is at hand, and evaluates it up to its
// init functions' end.
func (p *Program) load(pkg *Package) {
	if pkg.started {
		return
	}
	pkg.started = true
	if !pkg.loaded {
		dir := p.mod.dirOf(pkg.Path)
		if dir == "" || p.mod.nested(dir) {
			return
		}
		files, partial, opening := p.siblings(dir, "", "")
		pkg.partial, pkg.opening = partial, opening
		if len(files) == 0 {
			return
		}
		pkg.add(p, files)
	}
	// What it starts as does not depend on who asks first.
	journals, calls := p.journals, p.calls
	p.journals, p.calls = nil, nil
	defer func() { p.journals, p.calls = journals, calls }()
	p.initialize(pkg)
}

// maxPackage bounds the source of a package that is read on the side, in bytes.
const maxPackage = 16 << 20

// siblings parses the files of a package in dir but the one called except;
// those that cannot be read or parsed are left out, as are tests and files for
// some platforms only. A name, unless it is empty, is the package's.
func (p *Program) siblings(dir, except, name string) (files []*ast.File, partial, opening bool) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, true, true
	}
	size := int64(0)
	for _, entry := range entries {
		if entry.Name() == except || !strings.HasSuffix(entry.Name(), ".go") || strings.HasSuffix(entry.Name(), "_test.go") || !entry.Type().IsRegular() {
			continue
		}
		if info, err := entry.Info(); err != nil || size+info.Size() > maxPackage {
			partial, opening = true, true
			continue
		} else {
			size += info.Size()
		}
		f, err := parser.ParseFile(p.Fset, filepath.Join(dir, entry.Name()), nil, parser.ParseComments|parser.SkipObjectResolution)
		switch {
		case err == nil && name != "" && f.Name.Name != name:
			continue
		case err != nil || constrained(f) || forPlatform(entry.Name()):
			if !ignored(f) {
				partial, opening = true, opening || err != nil || opens(f)
			}
			continue
		}
		if name == "" {
			name = f.Name.Name
		}
		files = append(files, f)
	}
	return files, partial, opening
}

// opens reports whether something in a file is run when the program starts.
func opens(f *ast.File) bool {
	return slices.ContainsFunc(f.Decls, func(d ast.Decl) (yes bool) {
		switch d := d.(type) {
		case *ast.FuncDecl:
			return d.Recv == nil && d.Name.Name == "init"
		case *ast.GenDecl:
			ast.Inspect(d, func(n ast.Node) bool {
				_, call := n.(*ast.CallExpr)
				yes = yes || call
				return !yes
			})
		}
		return yes
	})
}

// nested reports whether a directory of m lies in another module within it.
func (m *module) nested(dir string) bool {
	for ; len(dir) > len(m.dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return true
		}
	}
	return false
}

// forPlatform reports whether a file is for some platforms only by its name.
func forPlatform(name string) bool {
	_, rest, _ := strings.Cut(strings.TrimSuffix(name, ".go"), "_")
	return slices.ContainsFunc(strings.Split(rest, "_"), func(part string) bool { return platforms[part] })
}

// platforms are the operating systems and architectures that names of files
// may have.
var platforms = func() map[string]bool {
	set := map[string]bool{}
	for name := range strings.FieldsSeq(`aix android darwin dragonfly freebsd hurd illumos ios js linux nacl netbsd openbsd plan9
		solaris wasip1 windows zos 386 amd64 amd64p32 arm armbe arm64 arm64be loong64 mips mipsle mips64 mips64le mips64p32
		mips64p32le ppc ppc64 ppc64le riscv riscv64 s390 s390x sparc sparc64 wasm`) {
		set[name] = true
	}
	return set
}()

// ignored reports whether a file is never built: its constraint is ignore.
func ignored(f *ast.File) bool {
	return f != nil && slices.ContainsFunc(f.Comments, func(c *ast.CommentGroup) bool {
		return c.Pos() < f.Package && strings.TrimSpace(c.List[len(c.List)-1].Text) == "//go:build ignore"
	})
}

// constrained reports whether a file is for some platforms only: it is not
// known which one matters.
func constrained(f *ast.File) bool {
	return slices.ContainsFunc(f.Comments, func(c *ast.CommentGroup) bool {
		return c.Pos() < f.Package && slices.ContainsFunc(c.List, func(c *ast.Comment) bool { return constraint.IsGoBuild(c.Text) })
	})
}
