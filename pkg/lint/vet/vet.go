// Package vet makes the rules for a builders.go an analyzer of go vet, and a
// program with it go vet's tool.
package vet

import (
	"go/ast"
	"go/token"
	"go/types"
	"os"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/unitchecker"

	"gobuild/pkg/buildconfig"
	"gobuild/pkg/lint"
	"gobuild/pkg/lint/builders"
)

// Analyzer reports what the rules of package builders find in the file of a
// package that declares Hosts and Builders.
//
// It does not read a lint.ConfigFile: the go command remembers what it was told
// about a package, and would not notice that such a file has changed. Rules are
// turned off with a flag, or by comments.
var Analyzer = &analysis.Analyzer{
	Name: name,
	Doc:  "report mistakes in the configuration of a build farm (builders.go)",
	URL:  "pkg/lint/RULES.md",
	Run:  run,
}

// The name of the analyzer, and its flag with the rules that are not applied.
const (
	name        = "builders"
	disableFlag = "disable"
)

var disabled string

func init() {
	Analyzer.Flags.StringVar(&disabled, disableFlag, "", "`rules` not to apply, with commas")
}

// Main does what go vet asks of its tool in args, and ends the program.
func Main(args []string) {
	os.Args = append(os.Args[:1:1], args...) // there is no other way in
	unitchecker.Main(Analyzer)
}

// IsFlag reports whether an argument is a flag that go vet may hand on to its
// tool before the name of the file that says what to look at.
func IsFlag(arg string) bool {
	flag, ok := strings.CutPrefix(arg, "-")
	flag, _, _ = strings.Cut(strings.TrimPrefix(flag, "-"), "=")
	return ok && slices.Contains([]string{name, name + "." + disableFlag, "json", "c", "fix", "diff", "source", "v", "all", "tags"}, flag)
}

func run(pass *analysis.Pass) (any, error) {
	if !isTable(pass.Pkg, "Hosts", "HostConfig") && !isTable(pass.Pkg, "Builders", "BuildConfig") {
		return nil, nil
	}
	severity := map[string]lint.Severity{}
	for rule := range strings.SplitSeq(disabled, ",") {
		if severity[rule] = lint.Off; rule != "" && !slices.Contains(lint.Names(builders.Docs()), rule) {
			// Not an error: the go command would tell of it once and take the
			// package for checked from then on.
			pass.Reportf(pass.Files[0].Package, "-%s.%s: there is no rule %q", name, disableFlag, rule)
		}
	}
	for _, f := range pass.Files {
		if !declares(f, "Hosts") && !declares(f, "Builders") {
			continue
		}
		tf := pass.Fset.File(f.Package)
		src, err := buildconfig.ReadSource(tf.Name(), nil)
		if err != nil {
			pass.Reportf(f.Package, "%v", err)
			continue
		}
		r := lint.NewReporter(severity)
		builders.Check(src, r)
		lint.Ignore(r, builders.Comments(src), lint.Names(builders.Docs()))
		lint.Sort(r.Findings)
		for _, finding := range r.Findings {
			if finding.File == tf.Name() {
				pass.Report(diagnostic(tf, finding))
			}
		}
	}
	return nil, nil
}

// isTable reports whether a package has a variable that is a map from names to
// the type config or to pointers to it: others may be called the same.
func isTable(pkg *types.Package, table, config string) bool {
	v, ok := pkg.Scope().Lookup(table).(*types.Var)
	if !ok {
		return false
	}
	m, ok := v.Type().Underlying().(*types.Map)
	if !ok {
		return false
	}
	elem := m.Elem()
	if ptr, ok := elem.Underlying().(*types.Pointer); ok {
		elem = ptr.Elem()
	}
	named, ok := types.Unalias(elem).(*types.Named)
	return ok && named.Obj().Name() == config
}

// declares reports whether a file has a package-level variable of that name.
func declares(f *ast.File, name string) bool {
	for _, d := range f.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.VAR {
			continue
		}
		for _, spec := range g.Specs {
			for _, id := range spec.(*ast.ValueSpec).Names {
				if id.Name == name {
					return true
				}
			}
		}
	}
	return false
}

func diagnostic(f *token.File, finding lint.Finding) analysis.Diagnostic {
	at := func(line, column int) token.Pos {
		if line < 1 || line > f.LineCount() {
			return f.Pos(0)
		}
		return min(f.LineStart(line)+token.Pos(column-1), f.Pos(f.Size()))
	}
	d := analysis.Diagnostic{
		Pos: at(finding.Line, finding.Column), End: at(finding.EndLine, finding.EndColumn),
		Category: finding.Rule, Message: finding.Message + " [" + finding.Rule + "]",
	}
	if finding.Fix != nil {
		fix := analysis.SuggestedFix{Message: finding.Fix.Message}
		for _, e := range finding.Fix.Edits {
			fix.TextEdits = append(fix.TextEdits, analysis.TextEdit{Pos: f.Pos(e.Start), End: f.Pos(e.End), NewText: []byte(e.New)})
		}
		d.SuggestedFixes = []analysis.SuggestedFix{fix}
	}
	return d
}
