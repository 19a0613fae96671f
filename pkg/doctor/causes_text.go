package doctor

import (
	"fmt"
	"strings"

	"gobuild/pkg/plain"
)

// ExplanationsText returns what Explain found for people: for each failure
// its line in the log, the cause and the remedy.
func ExplanationsText(list []Explanation, l Layout) string {
	var b strings.Builder
	for i, x := range list {
		if i > 0 {
			b.WriteString("\n")
		}
		b.WriteString(l.style(PartHeading, plain.Line(x.Title, maxText)) + "\n")
		at := fmt.Sprintf("%s, line %d", x.Program, x.Line)
		if x.Count > 1 {
			at += fmt.Sprintf(" (and %d more)", x.Count-1)
		}
		const indent = 2
		l.lines(&b, indent, PartWanted, at+": "+plain.Line(x.Text, maxText), false)
		l.lines(&b, indent, PartTitle, plain.Line(x.Cause, maxText), false)
		l.lines(&b, indent, PartRemedy, "-> "+plain.Line(x.Remedy, maxText), false)
		if l.Sections && x.Section != "" {
			l.lines(&b, indent, PartWanted, x.Section, false)
		}
	}
	return b.String()
}
