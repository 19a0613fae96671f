// Package lint finds what is wrong in the configuration of a farm: in a
// builders.go, read by package buildconfig, and in LUCI's main.star.
//
// This package is the frame: what a rule is, how its findings are reported,
// ignored, ordered, mended and printed. The rules are in the packages builders
// and star below it. A rule reports what is certainly so: what cannot be known
// from the text is no finding.
package lint

import (
	"cmp"
	"fmt"
	"go/token"
	"slices"
	"strings"
)

// Severity says how much a finding matters.
type Severity string

// The severities, and Off for a rule that is not applied.
const (
	Error   Severity = "error"   // the farm does not start, or does not do what is written
	Warning Severity = "warning" // most likely a mistake
	Info    Severity = "info"    // worth a look
	Off     Severity = "off"
)

// rank orders severities, the gravest first.
func (s Severity) rank() int { return slices.Index([]Severity{Error, Warning, Info, Off}, s) }

// Valid reports whether s is one of the severities.
func (s Severity) Valid() bool { return s.rank() >= 0 }

// Doc is what there is to say about a rule.
type Doc struct {
	ID       string   // stable, of words with dashes
	Severity Severity // unless a configuration says otherwise
	Title    string   // what is wrong, in a few words
	Why      string   // why it is wrong, and what comes of it; plain text
	Before   string   // an example with the mistake
	After    string   // the same without
	Fix      bool     // whether --fix can mend it
	Section  string   // where the rule comes from
}

// URL returns the address of the rule's documentation, within the repository:
// the project has no published home yet.
func (d Doc) URL() string { return "pkg/lint/RULES.md#" + d.ID }

// Explain returns all that there is to say about the rule, as plain text.
func (d Doc) Explain() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s): %s\n\n%s\n", d.ID, d.Severity, d.Title, wrap(d.Why, 78))
	fmt.Fprintf(&b, "\nbefore:\n%s\nafter:\n%s\n", indent(d.Before), indent(d.After))
	if d.Fix {
		b.WriteString("\n--fix can mend it.\n")
	}
	if d.Section != "" {
		fmt.Fprintf(&b, "\nfrom: %s\n", d.Section)
	}
	return b.String()
}

func indent(text string) string {
	return "    " + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n    ")
}

// wrap breaks text into lines of at most width bytes, where it has blanks.
func wrap(text string, width int) string {
	var b strings.Builder
	column := 0
	for word := range strings.FieldsSeq(text) {
		switch {
		case column == 0:
		case column+1+len(word) > width:
			b.WriteByte('\n')
			column = 0
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += len(word)
	}
	return b.String()
}

// Finding is a place where a rule does not hold.
type Finding struct {
	Rule     string   `json:"rule"`
	Severity Severity `json:"severity"`
	File     string   `json:"file"`
	// Lines and columns count from 1; columns count bytes. The end is the first
	// byte behind.
	Line      int    `json:"line"`
	Column    int    `json:"column"`
	EndLine   int    `json:"endLine"`
	EndColumn int    `json:"endColumn"`
	Message   string `json:"message"`
	URL       string `json:"url"`
	Fix       *Fix   `json:"fix"` // null if it has to be mended by hand
}

// Fix is a change that mends a finding.
type Fix struct {
	Message string `json:"message"` // what it does
	Edits   []Edit `json:"edits"`
}

// Edit replaces the bytes of the finding's file from Start up to End.
type Edit struct {
	Start int    `json:"start"`
	End   int    `json:"end"`
	New   string `json:"new"`
}

// Span is a piece of a file.
type Span struct{ Start, End token.Position }

// Reporter takes findings in. It is for one goroutine at a time.
type Reporter struct {
	Findings []Finding
	severity map[string]Severity
	applied  map[string]bool  // the rules that were
	seen     map[Finding]bool // with what makes one the same as another
}

// NewReporter returns a Reporter for rules of which some have another severity
// than their own.
func NewReporter(severity map[string]Severity) *Reporter {
	return &Reporter{severity: severity, applied: map[string]bool{}, seen: map[Finding]bool{}}
}

// SeverityOf returns the severity that a rule's findings get.
func (r *Reporter) SeverityOf(d Doc) Severity { return cmp.Or(r.severity[d.ID], d.Severity) }

// Applies reports whether rule d is to be applied, and takes it that it then is:
// comments that take its findings back have a use only then.
func (r *Reporter) Applies(d Doc) bool {
	if r.SeverityOf(d) == Off {
		return false
	}
	r.applied[d.ID] = true
	return true
}

// Report takes in a finding of rule d at a span, unless the rule is off. fix
// may be nil.
func (r *Reporter) Report(d Doc, at Span, fix *Fix, format string, args ...any) {
	severity := r.SeverityOf(d)
	if severity == Off {
		return
	}
	f := Finding{
		Rule: d.ID, Severity: severity, File: at.Start.Filename,
		Line: at.Start.Line, Column: at.Start.Column, EndLine: at.End.Line, EndColumn: at.End.Column,
		Message: fmt.Sprintf(format, args...), URL: d.URL(), Fix: fix,
	}
	same := Finding{Rule: f.Rule, File: f.File, Line: f.Line, Column: f.Column, Message: f.Message}
	if r.seen[same] {
		return // such as from a loop around one place
	}
	r.seen[same] = true
	r.Findings = append(r.Findings, f)
}

// Sort orders findings by file and place; of the same place the gravest comes
// first.
func Sort(findings []Finding) {
	slices.SortStableFunc(findings, func(a, b Finding) int {
		return cmp.Or(
			cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Severity.rank(), b.Severity.rank()), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Message, b.Message),
		)
	})
}
