package lint

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"charm.land/lipgloss/v2"

	"gobuild/pkg/plain"
)

// Part is a part of a finding as WriteText prints it.
type Part string

// The parts that a style may be given to; a severity's is its name.
const (
	PartPlace Part = "place" // FILE:LINE:COLUMN
	PartCaret Part = "caret" // what points at the value
	PartRule  Part = "rule"  // the rule's name, and where it is explained
)

// TextOptions say how WriteText prints.
type TextOptions struct {
	// Source returns the text of a file, or nil; the line of a finding is
	// shown if it is there.
	Source func(file string) []byte
	// Style returns text in the colours of a part; nil leaves it as it is.
	Style func(part Part, text string) string
	// Explain is the command that explains a rule, without the rule.
	Explain string
	// Width is how many columns there are for a line of source; 0 means 160.
	Width int
}

// The columns for a line of source if nothing else is said, and the least, so
// that there is something to see.
const (
	defaultWidth = 160
	leastWidth   = 40
)

// margin stands before a line of source.
const margin = "    "

// WriteText prints findings for people: where, what, the line with a mark
// under the value, and with the first of each rule how to have it explained.
func WriteText(w io.Writer, findings []Finding, o TextOptions) error {
	style := o.Style
	if style == nil {
		style = func(_ Part, text string) string { return text }
	}
	lines := map[string][][]byte{}
	explained := map[string]bool{}
	var b strings.Builder
	for _, f := range findings {
		fmt.Fprintf(&b, "%s: %s: %s %s\n", style(PartPlace, fmt.Sprintf("%s:%d:%d", plain.Text(f.File), f.Line, f.Column)),
			style(Part(f.Severity), string(f.Severity)), plain.Text(f.Message), style(PartRule, "["+f.Rule+"]"))
		if _, ok := lines[f.File]; !ok && o.Source != nil {
			lines[f.File] = bytes.Split(o.Source(f.File), []byte("\n"))
		}
		if all := lines[f.File]; f.Line > 0 && f.Line <= len(all) {
			if text, caret := excerpt(all[f.Line-1], f, max(leastWidth, cmp.Or(o.Width, defaultWidth))-len(margin)); text != "" {
				fmt.Fprintf(&b, margin+"%s\n"+margin+"%s\n", text, style(PartCaret, caret))
			}
		}
		if o.Explain != "" && !explained[f.Rule] {
			explained[f.Rule] = true
			fmt.Fprintf(&b, margin+"%s\n", style(PartRule, o.Explain+" "+f.Rule))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// excerpt returns a line of source as it is shown within width columns, and the
// line with the mark that stands below it; of a blank line nothing.
func excerpt(line []byte, f Finding, width int) (text, caret string) {
	line = bytes.TrimRight(line, "\r")
	start := min(max(f.Column-1, 0), len(line))
	end := len(line)
	if f.EndLine == f.Line {
		end = min(max(f.EndColumn-1, start), len(line))
	}
	// What lies further away is not shown; a character has up to four bytes.
	near := 4 * width
	before := strings.TrimLeft(shown(line[max(0, start-near):start]), " ")
	value, after := shown(line[start:min(end, start+near)]), shown(line[end:min(len(line), end+near)])
	if lipgloss.Width(before)+lipgloss.Width(value)+lipgloss.Width(after) > width {
		// The value first, then what stands before it, for it says what it is.
		value = cut(value, width*2/3, false)
		before = cut(before, max(width/3, width-lipgloss.Width(value)-lipgloss.Width(after)), true)
		after = cut(after, width-lipgloss.Width(before)-lipgloss.Width(value), false)
	}
	if strings.TrimSpace(before+value+after) == "" {
		return "", ""
	}
	return before + value + after,
		strings.Repeat(" ", lipgloss.Width(before)) + "^" + strings.Repeat("~", max(0, lipgloss.Width(value)-1))
}

// shown returns source as a terminal can show it.
func shown(text []byte) string { return plain.Text(strings.ReplaceAll(string(text), "\t", "    ")) }

// cut shortens text to a width, at its end or at its beginning.
func cut(text string, width int, atStart bool) string {
	const dots = "..."
	switch {
	case lipgloss.Width(text) <= width:
		return text
	case width <= len(dots):
		return dots[:max(0, width)]
	}
	for lipgloss.Width(text) > width-len(dots) {
		if atStart {
			_, n := utf8.DecodeRuneInString(text)
			text = text[n:]
		} else {
			_, n := utf8.DecodeLastRuneInString(text)
			text = text[:len(text)-n]
		}
	}
	if atStart {
		return dots + text
	}
	return text + dots
}

// ReadSource is a TextOptions.Source that reads files; those in known it does
// not have to.
func ReadSource(known map[string][]byte) func(file string) []byte {
	return func(file string) []byte {
		if text, ok := known[file]; ok {
			return text
		}
		text, err := ReadFile(file)
		if err != nil {
			return nil
		}
		return text
	}
}
