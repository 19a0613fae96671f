package goeval

import (
	"go/ast"
	"go/build/constraint"
	"go/parser"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// module is the module that a file lies in.
type module struct{ dir, path string }

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
				return &module{dir, path}
			}
			return nil
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
	}
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
		if dir == "" {
			return
		}
		files := p.siblings(dir, "", "")
		if len(files) == 0 {
			return
		}
		pkg.add(p, files)
	}
	p.initialize(pkg)
}

// maxPackage bounds the source of a package that is read on the side, in bytes.
const maxPackage = 16 << 20

// siblings parses the files of a package in dir but the one called except;
// those that cannot be read or parsed are left out, as are tests and files for
// some platforms only. A name, unless it is empty, is the package's.
func (p *Program) siblings(dir, except, name string) []*ast.File {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var files []*ast.File
	size := int64(0)
	for _, entry := range entries {
		if entry.Name() == except || !strings.HasSuffix(entry.Name(), ".go") || strings.HasSuffix(entry.Name(), "_test.go") || !entry.Type().IsRegular() {
			continue
		}
		if info, err := entry.Info(); err != nil || size+info.Size() > maxPackage {
			continue
		} else {
			size += info.Size()
		}
		f, err := parser.ParseFile(p.Fset, filepath.Join(dir, entry.Name()), nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil || constrained(f) || name != "" && f.Name.Name != name {
			continue
		}
		files = append(files, f)
	}
	return files
}

// constrained reports whether a file is for some platforms only: it is not
// known which one matters.
func constrained(f *ast.File) bool {
	return slices.ContainsFunc(f.Comments, func(c *ast.CommentGroup) bool {
		return c.Pos() < f.Package && slices.ContainsFunc(c.List, func(c *ast.Comment) bool { return constraint.IsGoBuild(c.Text) })
	})
}
