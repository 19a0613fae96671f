// Package plain makes the text of strangers fit to be shown: what a server, a
// machine or a file says may hold what a terminal obeys, or hide how it reads.
package plain

import (
	"strings"
	"unicode"
)

// Text returns s, rune for rune, with tabs as blanks and a question mark for
// all that steers: control characters, line ends too, marks that turn the
// direction of writing, and bytes that are not UTF-8.
func Text(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case steers(r):
			return '?'
		}
		return r
	}, s)
}

// Line is Text on one line: blanks and line ends, however many, become one
// blank, and none is left at either end. Of more than max bytes the first are
// returned, and three dots; 0 is no bound.
func Line(s string, max int) string {
	s = strings.Map(func(r rune) rune {
		if steers(r) && !unicode.IsSpace(r) {
			return '?'
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if max <= 0 || len(s) <= max {
		return s
	}
	const dots = "..."
	return strings.ToValidUTF8(s[:max-min(max, len(dots))], "") + dots[:min(max, len(dots))]
}

// steers reports whether r does something else than be seen.
func steers(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == unicode.ReplacementChar ||
		r == '\u2028' || r == '\u2029'
}
