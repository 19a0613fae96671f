// Package builders holds the rules for a builders.go: each in a file of its
// own, called after it, with its documentation.
//
// A rule reports what is certainly so. What the source leaves open, because it
// hangs on packages that are not at hand or on the environment, is no finding.
package builders

import (
	"bytes"
	"go/ast"
	"go/token"
	"slices"
	"strings"

	"gobuild/pkg/buildconfig"
	"gobuild/pkg/goeval"
	"gobuild/pkg/lint"
)

// Rule is a rule for a builders.go.
type Rule = lint.Rule[*Pass]

// Pass is what a rule gets: a builders.go, and where its findings go.
type Pass struct {
	*buildconfig.Source
	rule     lint.Doc
	reporter *lint.Reporter
}

// rules is every rule about one builders.go.
var rules lint.Rules[*Pass]

// register adds a rule; its file does so when the program starts.
func register(r Rule) struct{} { return rules.Add(r) }

// Rules returns all rules about one builders.go, sorted by name.
func Rules() []Rule { return rules.All() }

// Check applies all rules to a builders.go. What comments take back is still
// in it: see Comments and lint.Ignore.
func Check(src *buildconfig.Source, r *lint.Reporter) {
	rules.Check(r, func(rule lint.Doc) *Pass { return &Pass{Source: src, rule: rule, reporter: r} })
}

// Docs returns the documentation of all rules, those about changes and about
// comments too, sorted by name.
func Docs() []lint.Doc {
	list := slices.Concat(rules.Docs(), changeRules.Docs(), []lint.Doc{lint.BadIgnore, lint.UnusedIgnore})
	lint.SortDocs(list)
	return list
}

// Reportf reports a finding at a piece of the source. A nil node is the
// beginning of the file.
func (p *Pass) Reportf(at ast.Node, format string, args ...any) {
	p.ReportFix(at, nil, format, args...)
}

// ReportFix is Reportf with a fix, which may be nil.
func (p *Pass) ReportFix(at ast.Node, fix *lint.Fix, format string, args ...any) {
	p.reporter.Report(p.rule, p.span(at), fix, format, args...)
}

// span returns where a node is. Of one of several lines it is the first.
func (p *Pass) span(at ast.Node) lint.Span {
	if at == nil || !at.Pos().IsValid() {
		start := p.Fset.Position(p.File.Package)
		if !start.IsValid() {
			start = token.Position{Filename: p.Name, Line: 1, Column: 1}
		}
		end := start
		end.Column += len("package")
		return lint.Span{Start: start, End: end}
	}
	span := lint.Span{Start: p.Fset.Position(at.Pos()), End: p.Fset.Position(at.End())}
	if span.Start.Line != span.End.Line {
		span.End = span.Start
		span.End.Column++
	}
	return span
}

// Source returns the text of a node in the linted file, or "".
func (p *Pass) text(at ast.Node) string {
	start, end := p.offsets(at)
	if start < 0 {
		return ""
	}
	return string(p.Text[start:end])
}

// offsets returns where a node is in the text of the linted file, or -1 if it
// is not in it.
func (p *Pass) offsets(at ast.Node) (start, end int) {
	from, to := p.Fset.Position(at.Pos()), p.Fset.Position(at.End())
	if from.Filename != p.Name || to.Offset > len(p.Text) {
		return -1, -1
	}
	return from.Offset, to.Offset
}

// Replace returns a fix that puts text in the place of a node, or nil if the
// node is not in the linted file.
func (p *Pass) Replace(at ast.Node, text, message string) *lint.Fix {
	start, end := p.offsets(at)
	if start < 0 {
		return nil
	}
	return &lint.Fix{Message: message, Edits: []lint.Edit{{Start: start, End: end, New: text}}}
}

// Remove returns a fix that takes an element out of the list that it stands
// in, with its comma, and with its line if it stands alone there; nil if the
// node is not in the linted file.
func (p *Pass) Remove(at ast.Node, message string) *lint.Fix {
	start, end := p.offsets(at)
	if start < 0 {
		return nil
	}
	text := p.Text
	for end < len(text) && (text[end] == ' ' || text[end] == '\t') {
		end++
	}
	if end < len(text) && text[end] == ',' {
		end++
		for end < len(text) && (text[end] == ' ' || text[end] == '\t') {
			end++
		}
	}
	lineStart := start
	for lineStart > 0 && (text[lineStart-1] == ' ' || text[lineStart-1] == '\t') {
		lineStart--
	}
	rest := end
	if rest+1 < len(text) && text[rest] == '/' && text[rest+1] == '/' {
		for rest < len(text) && text[rest] != '\n' {
			rest++ // the comment is about what goes
		}
	}
	if (lineStart == 0 || text[lineStart-1] == '\n') && rest < len(text) && text[rest] == '\n' {
		start, end = lineStart, rest+1
	}
	return &lint.Fix{Message: message, Edits: []lint.Edit{{Start: start, End: end}}}
}

// Comments returns the comments of the linted file.
func Comments(src *buildconfig.Source) []lint.Comment {
	last := lastLines(src)
	var list []lint.Comment
	for _, group := range src.File.Comments {
		for _, c := range group.List {
			text, ok := strings.CutPrefix(c.Text, "//")
			if !ok {
				continue
			}
			start, end := src.Fset.Position(c.Pos()), src.Fset.Position(c.End())
			line := src.Text[bytes.LastIndexByte(src.Text[:start.Offset], '\n')+1 : start.Offset]
			comment := lint.Comment{Text: text, At: lint.Span{Start: start, End: end}, Alone: strings.TrimSpace(string(line)) == ""}
			about := start.Line
			if comment.Alone {
				about = end.Line + 1
			}
			comment.Until = last[about]
			list = append(list, comment)
		}
	}
	return list
}

// lastLines returns, for each line that an element of a literal or a statement
// begins on, the last line of the longest of them.
func lastLines(src *buildconfig.Source) map[int]int {
	last := map[int]int{}
	ast.Inspect(src.File, func(n ast.Node) bool {
		switch n.(type) {
		case *ast.KeyValueExpr, *ast.ExprStmt, *ast.BasicLit, *ast.CompositeLit:
			start, end := src.Fset.Position(n.Pos()).Line, src.Fset.Position(n.End()).Line
			last[start] = max(last[start], end)
		}
		return true
	})
	return last
}

// parts returns the dash-separated parts of a name.
func parts(name string) []string { return strings.Split(name, "-") }

// each calls f for the strings in a field that is a list.
func each(r *buildconfig.Record, field string, f func(text string, at ast.Node)) {
	list, _ := r.List(field)
	for _, e := range list {
		if text, ok := e.String(); ok {
			at := ast.Node(e.Node)
			if e.Node == nil {
				at = r.Node(field)
			}
			f(text, at)
		}
	}
}

// count returns how many of the fields are known to be set to something, and
// whether that is certain for all.
func isSet(r *buildconfig.Record, field string) (set, known bool) {
	switch v := r.Value(field).(type) {
	case *goeval.Unknown:
		return false, false
	case goeval.Text:
		return v.S != "", true
	case goeval.Truth:
		return v.B, true
	case goeval.Number:
		n, ok := goeval.Int(v)
		return n != 0, ok
	case goeval.Nil:
		return false, true
	case *goeval.Slice:
		return len(v.Elems) > 0 || v.Open != nil, v.Open == nil
	}
	return true, true
}
