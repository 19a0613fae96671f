// Package vet makes the rules for a builders.go an analyzer of go vet.
package vet

import (
	"go/ast"
	"go/token"

	"golang.org/x/tools/go/analysis"

	"gobuild/pkg/buildconfig"
	"gobuild/pkg/lint"
	"gobuild/pkg/lint/builders"
)

// Analyzer reports what the rules of package builders find in the file of a
// package that declares Hosts and Builders.
var Analyzer = &analysis.Analyzer{
	Name: "builders",
	Doc:  "report mistakes in the configuration of a build farm (builders.go)",
	Run:  run,
}

func run(pass *analysis.Pass) (any, error) {
	for _, f := range pass.Files {
		if !declares(f, "Hosts") && !declares(f, "Builders") {
			continue
		}
		tf := pass.Fset.File(f.Package)
		src, err := buildconfig.ReadSource(tf.Name(), nil)
		if err != nil {
			return nil, err
		}
		r := lint.NewReporter(nil)
		builders.Check(src, r)
		lint.Ignore(r, builders.Comments(src), builders.Known())
		lint.Sort(r.Findings)
		for _, finding := range r.Findings {
			if finding.File == tf.Name() {
				pass.Report(diagnostic(tf, finding))
			}
		}
	}
	return nil, nil
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
