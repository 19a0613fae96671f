// Package star holds the rules for LUCI's definitions, the main.star of branch
// luci-config of golang/build: each in a file of its own, called after it, with
// its documentation.
//
// The tables that a builder's owner touches are read from the syntax tree; the
// file's own functions, such as dimensions_of, are evaluated where they are
// plain enough. What cannot be known that way is unknown, and no finding. What
// LUCI makes of a definition is left to lucicfg: the rules are mostly about
// what it takes without a word. The facts are those of the LUCI protocol's
// description, section 12.
package star

import (
	"strings"

	"go.starlark.net/syntax"

	"gobuild/pkg/lint"
)

// Rule is a rule for a main.star.
type Rule = lint.Rule[*Pass]

// Pass is what a rule gets: a main.star, and where its findings go.
type Pass struct {
	*Source
	rule     lint.Doc
	reporter *lint.Reporter
}

// rules is every rule.
var rules lint.Rules[*Pass]

// register adds a rule; its file does so when the program starts.
func register(r Rule) struct{} { return rules.Add(r) }

// Rules returns all rules, sorted by name.
func Rules() []Rule { return rules.All() }

// Check applies all rules to a main.star. What comments take back is still in
// it: see Comments and lint.Ignore.
func Check(src *Source, r *lint.Reporter) {
	rules.Check(r, func(rule lint.Doc) *Pass { return &Pass{Source: src, rule: rule, reporter: r} })
}

// Docs returns the documentation of all rules, those about comments too, sorted
// by name.
func Docs() []lint.Doc {
	list := append(rules.Docs(), lint.BadIgnore, lint.UnusedIgnore)
	lint.SortDocs(list)
	return list
}

// Comments returns the comments of a main.star. Formatters of Starlark put a
// blank behind the #, which is no part of the text.
func Comments(src *Source) []lint.Comment {
	last := map[int]int{} // for the lines that something begins on, where it ends
	for _, stmt := range src.Stmts {
		syntax.Walk(stmt, func(n syntax.Node) bool {
			var start, end syntax.Position
			switch n := n.(type) {
			case *syntax.DictEntry, *syntax.Literal:
				start, end = n.Span()
			case *syntax.CallExpr:
				// Its Span takes as long as the chain of calls before it.
				start, end = n.Lparen, n.Rparen
			}
			last[int(start.Line)] = max(last[int(start.Line)], int(end.Line))
			return true
		})
	}
	var list []lint.Comment
	for _, c := range src.comments {
		at := lint.Span{Start: src.at(c.start), End: src.at(c.end)}
		line := src.Text[at.Start.Offset-(at.Start.Column-1) : at.Start.Offset]
		comment := lint.Comment{
			Text: strings.TrimLeft(string(src.Text[c.start+1:c.end]), " \t"), At: at,
			Alone: strings.TrimSpace(string(line)) == "",
		}
		about := at.Start.Line
		if comment.Alone {
			about++
		}
		comment.Until = last[about]
		list = append(list, comment)
	}
	return list
}

// Reportf reports a finding at a piece of the source. A nil node is the
// beginning of the file.
func (p *Pass) Reportf(at syntax.Node, format string, args ...any) {
	p.ReportFix(at, nil, format, args...)
}

// ReportFix is Reportf with a fix, which may be nil.
func (p *Pass) ReportFix(at syntax.Node, fix *lint.Fix, format string, args ...any) {
	p.reporter.Report(p.rule, p.span(at), fix, format, args...)
}

// span returns where a node is; of one of several lines it is the first.
func (s *Source) span(at syntax.Node) lint.Span {
	start, end := 0, 0
	if at != nil {
		start, end = s.offsets(at)
	}
	span := lint.Span{Start: s.at(start), End: s.at(end)}
	if span.Start.Line != span.End.Line || start == end {
		span.End = span.Start
		span.End.Column++
	}
	return span
}

// Replace returns a fix that writes another text where a value is, or nil if
// the value is not written as a plain string.
func (p *Pass) Replace(v *value, text, message string) *lint.Fix {
	lit, ok := v.node.(*syntax.Literal)
	if !ok || lit.Value != any(v.text) || lit.Raw != `"`+v.text+`"` || strings.ContainsAny(text, "\"\\\n") {
		return nil
	}
	start, end := p.offsets(lit)
	return &lint.Fix{Message: message, Edits: []lint.Edit{{Start: start, End: end, New: `"` + text + `"`}}}
}

// Remove returns a fix that takes an element out of the list or the dict that
// it stands in, with its comma, and with its line if it stands alone there.
func (p *Pass) Remove(at syntax.Node, message string) *lint.Fix {
	if at == nil {
		return nil
	}
	start, end := p.offsets(at)
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
	if rest < len(text) && text[rest] == '#' {
		for rest < len(text) && text[rest] != '\n' {
			rest++ // the comment is about what goes
		}
	}
	if (lineStart == 0 || text[lineStart-1] == '\n') && rest < len(text) && text[rest] == '\n' {
		start, end = lineStart, rest+1
	}
	return &lint.Fix{Message: message, Edits: []lint.Edit{{Start: start, End: end}}}
}
