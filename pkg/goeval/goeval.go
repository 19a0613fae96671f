// Package goeval finds out what Go source text computes when a program starts,
// without compiling or running it: the values of package-level variables after
// their initializers and the init functions.
//
// It is an evaluator of a large part of the language over go/ast and
// go/constant. It never guesses: what hangs on the environment, on packages
// that are not at hand or on what it does not understand is Unknown, with the
// reason; where a condition is unknown both ways are gone, and what differs
// afterwards is unknown, or an entry that may be missing. What code that is not
// at hand gets hold of, what depends on the order of a map, and elements that
// two slices may share are unknown too. Packages of the same
// module are read from their source where a file lies in its module; of others
// a few pure functions of the standard library are known. Nothing is executed,
// and every evaluation ends: see Options.
//
// What the values mean is left to the callers.
package goeval

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Options bound an evaluation. Zero values mean what is written with them.
type Options struct {
	MaxSteps int // statements and expressions that are evaluated; 5 million
	MaxDepth int // calls within calls; 200
	MaxNodes int // nesting of expressions and statements; 10,000
	// Observe is a function of the main package whose calls are collected.
	Observe string
}

// Panic is a call of panic that every run of the program comes to.
type Panic struct {
	At      ast.Node        // the call of panic, or what else panics; nil if that is not known
	Calls   []*ast.CallExpr // that led there, outermost first
	Message string          // its argument, if known
}

// Call is a call of an observed function.
type Call struct {
	Args  []Value
	Calls []*ast.CallExpr // that are under way, outermost first, with itself
	// Certain is set if every run of the program comes to it; Panicked if it
	// did not return.
	Certain, Panicked bool
}

// Program is a set of packages that is evaluated together. It is for one
// goroutine at a time.
type Program struct {
	Fset *token.FileSet
	// Panics are those that the init functions of the main package come to.
	// What follows in the same statement, or in the same iteration of a loop,
	// is not evaluated then.
	Panics []Panic
	// Observed are the calls of the function of the main package that Observe
	// names, in their order.
	Observed []Call
	// Stopped says why the evaluation was given up, if it was: what would have
	// come after is missing.
	Stopped string

	text     []byte
	opts     Options
	mod      *module
	pkgs     map[string]*Package // by import path
	main     *Package
	file     *ast.File // that was loaded
	journals []*journal
	calls    []*ast.CallExpr
	literals map[*ast.BasicLit]Value
	static   map[*ast.Ident]*Cell        // what names of package level stand for
	members  map[*ast.SelectorExpr]Value // functions and types of packages
	escaped  map[*Cell]*Unknown          // variables that code not at hand may change at any time
	opened   []*Map                      // maps in the order in which Open was set
	twins    map[*Cell][]*Cell           // variables that may be the same one
	deferred []deferred                  // calls of the functions under way
	defers   map[*ast.BlockStmt]defers   // what is known of the bodies of functions
	steps    int
	blurs    int // loops within loops of unknown length now
	// recovering counts the functions under way that may recover from a panic.
	recovering int
	dropped    ast.Expr         // the first argument of an append whose result it gets
	exposing   []*ast.BlockStmt // functions given away whose effects are being found out
	orders     int              // ranges over maps that are tried in several orders now
	frame      int              // journals that were open when the innermost function with defers began
	nodes      int              // how deep expressions and statements nest now
	topLevel   bool
}

// Package is a package of a Program.
type Package struct {
	Path  string // import path; that of the main package may be ""
	Files []*ast.File

	loaded  bool // source is at hand
	scope   *scope
	decls   map[string]decl
	methods map[string]map[string]*ast.FuncDecl
	types   map[string]*Type
	inits   []*ast.FuncDecl
	files   map[*ast.File]*scope // imports
	started bool
	partial bool // a file was left out that may be part of it
	opening bool // something in such a file is run when the program starts
}

// scope is a set of names within another.
type scope struct {
	parent *scope
	pkg    *Package
	few    []binding        // in a function
	many   map[string]*Cell // of a package or a file
	room   [2]binding       // for the first of few
}

type binding struct {
	name string
	cell *Cell
}

// get returns the variable that is called name here, or nil.
func (s *scope) get(name string) *Cell {
	for i := len(s.few) - 1; i >= 0; i-- {
		if s.few[i].name == name {
			return s.few[i].cell
		}
	}
	if s.many == nil {
		return nil
	}
	return s.many[name]
}

func newScope(parent *scope) *scope {
	return &scope{parent: parent, pkg: parent.pkg}
}

// define declares a new variable.
func (s *scope) define(name string, c *Cell) *Cell {
	switch {
	case name == "_":
	case s.many != nil:
		s.many[name] = c
	default:
		if s.few == nil {
			s.few = s.room[:0]
		}
		s.few = append(s.few, binding{name, c})
	}
	return c
}

// decl is a package-level declaration that is evaluated when it is needed.
type decl struct {
	file  *scope // of the file that it stands in
	names []*ast.Ident
	spec  ast.Spec       // *ast.ValueSpec or *ast.TypeSpec
	value *ast.ValueSpec // of a constant: where its values are
	fn    *ast.FuncDecl
	iota  int
	konst bool
}

// maxFile is the longest file that is read, in bytes.
const maxFile = 64 << 20

// Load parses the Go file called name, whose text is src, or is read from name
// if src is nil, together with the other files of its package if it lies in a
// module. Syntax errors do not stop it: they are returned besides a Program of
// what could be parsed. Without a Program, the file could not be read.
func Load(name string, src []byte, opts Options) (*Program, scanner.ErrorList, error) {
	if src == nil {
		var err error
		if src, err = readFile(name); err != nil {
			return nil, nil, err
		}
	}
	if len(src) > maxFile {
		return nil, nil, fmt.Errorf("%s: longer than %d bytes", name, maxFile)
	}
	if opts.MaxSteps == 0 {
		opts.MaxSteps = 5e6
	}
	if opts.MaxDepth == 0 {
		opts.MaxDepth = 200
	}
	if opts.MaxNodes == 0 {
		opts.MaxNodes = 10000
	}
	p := &Program{Fset: token.NewFileSet(), text: src, opts: opts, pkgs: map[string]*Package{}, literals: map[*ast.BasicLit]Value{}, static: map[*ast.Ident]*Cell{}, members: map[*ast.SelectorExpr]Value{}, defers: map[*ast.BlockStmt]defers{}}
	file, err := parser.ParseFile(p.Fset, name, src, parser.ParseComments|parser.SkipObjectResolution|parser.AllErrors)
	var problems scanner.ErrorList
	if err != nil && !errors.As(err, &problems) {
		return nil, nil, err
	}
	if file == nil {
		return nil, problems, fmt.Errorf("%s: not parsed", name)
	}
	p.main = newPackage("")
	p.mod = findModule(name)
	files := []*ast.File{file}
	p.file = file
	if p.mod != nil {
		dir := filepath.Dir(name)
		p.main.Path = p.mod.pathOf(dir)
		more, partial, opening := p.siblings(dir, filepath.Base(name), file.Name.Name)
		files = append(files, more...)
		p.main.partial, p.main.opening = partial, opening
		slices.SortFunc(files, func(a, b *ast.File) int { // as they are compiled
			return strings.Compare(filepath.Base(p.Fset.Position(a.Package).Filename), filepath.Base(p.Fset.Position(b.Package).Filename))
		})
	}
	p.pkgs[p.main.Path] = p.main
	p.main.add(p, files)
	return p, problems, nil
}

func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a regular file", name)
	case info.Size() > maxFile:
		return nil, fmt.Errorf("%s is longer than %d bytes", name, maxFile)
	}
	return os.ReadFile(name)
}

// Text returns the text of the file that was loaded.
func (p *Program) Text() []byte { return p.text }

// Maps returns the maps in the package-level variables that have been
// evaluated, of whatever package.
func (p *Program) Maps() []*Map {
	var list []*Map
	for _, path := range slices.Sorted(maps.Keys(p.pkgs)) {
		vars := p.pkgs[path].scope.many
		for _, name := range slices.Sorted(maps.Keys(vars)) {
			if m, ok := vars[name].Get().(*Map); ok {
				list = append(list, m)
			}
		}
	}
	return list
}

// File returns the syntax tree of the file that was loaded.
func (p *Program) File() *ast.File { return p.file }

func newPackage(path string) *Package {
	pkg := &Package{
		Path: path, decls: map[string]decl{}, methods: map[string]map[string]*ast.FuncDecl{},
		types: map[string]*Type{}, files: map[*ast.File]*scope{},
	}
	pkg.scope = &scope{pkg: pkg, many: map[string]*Cell{}}
	return pkg
}

// add takes in the declarations of files.
func (pkg *Package) add(p *Program, files []*ast.File) {
	pkg.loaded = true
	pkg.Files = append(pkg.Files, files...)
	for _, f := range files {
		env := &scope{parent: pkg.scope, pkg: pkg, many: map[string]*Cell{}}
		pkg.files[f] = env
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				pkg.addFunc(env, d)
			case *ast.GenDecl:
				pkg.addGen(p, env, d)
			}
		}
	}
}

func (pkg *Package) addFunc(env *scope, d *ast.FuncDecl) {
	switch {
	case d.Recv != nil:
		if len(d.Recv.List) == 1 {
			t := receiverName(d.Recv.List[0].Type)
			if pkg.methods[t] == nil {
				pkg.methods[t] = map[string]*ast.FuncDecl{}
			}
			pkg.methods[t][d.Name.Name] = d
			pkg.decls[t+"."+d.Name.Name] = decl{file: env, fn: d}
		}
	case d.Name.Name == "init":
		pkg.inits = append(pkg.inits, d)
		pkg.decls[fmt.Sprintf("init %d", len(pkg.inits))] = decl{file: env, fn: d}
	case d.Name.Name != "_":
		pkg.decls[d.Name.Name] = decl{file: env, fn: d}
	}
}

func receiverName(expr ast.Expr) string {
	switch e := expr.(type) {
	case *ast.IndexExpr:
		return receiverName(e.X)
	case *ast.IndexListExpr:
		return receiverName(e.X)
	case *ast.ParenExpr:
		return receiverName(e.X)
	}
	return embeddedName(expr)
}

func (pkg *Package) addGen(p *Program, env *scope, d *ast.GenDecl) {
	var last *ast.ValueSpec // whose values a constant without its own repeats
	for i, spec := range d.Specs {
		switch s := spec.(type) {
		case *ast.ImportSpec:
			path := strings.Trim(s.Path.Value, "`\"")
			name := importName(path)
			if s.Name != nil {
				name = s.Name.Name
			}
			if name != "." && name != "_" {
				env.define(name, &Cell{val: pkgValue{p.importPath(path)}})
			}
		case *ast.TypeSpec:
			pkg.decls[s.Name.Name] = decl{file: env, names: []*ast.Ident{s.Name}, spec: s}
		case *ast.ValueSpec:
			if len(s.Values) > 0 || s.Type != nil {
				last = s
			}
			for _, name := range s.Names {
				if name.Name == "_" {
					continue
				}
				pkg.decls[name.Name] = decl{file: env, names: s.Names, spec: s, value: last, iota: i, konst: d.Tok == token.CONST}
			}
		}
	}
}

// importName is the name that a package of this path most likely has.
func importName(path string) string {
	parts := strings.Split(path, "/")
	name := parts[len(parts)-1]
	if len(parts) > 1 && len(name) > 1 && name[0] == 'v' && strings.Trim(name[1:], "0123456789") == "" {
		name = parts[len(parts)-2] // a major version
	}
	name = strings.TrimPrefix(name, "go-")
	name, _, _ = strings.Cut(name, ".")
	return name
}
