package doctor

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Part names a piece of a report's text, for a Layout to give it a style.
type Part string

// The parts of a report's text that are no State.
const (
	PartHeading Part = "heading"
	PartTitle   Part = "title"
	PartWanted  Part = "wanted"
	PartRemedy  Part = "remedy"
)

// Layout is how a report is written for people.
type Layout struct {
	// Width is where lines are broken; 0 means nowhere.
	Width int
	// Style returns text with the style of a part, or of a state if part is
	// one; nil leaves it as it is. It must not change what is printed.
	Style func(part Part, text string) string
	// Sections adds to each finding where its requirement comes from.
	Sections bool
}

// Plain returns the report as plain text for strangers' eyes: no secrets, no
// control characters, and the home directory as ~.
func (r Report) Plain() string {
	text := r.Text(Layout{})
	if len(r.home) > 1 {
		text = strings.ReplaceAll(text, r.home, "~")
	}
	return text
}

// Summary counts the findings by state.
func (r Report) Summary() string {
	var parts []string
	for _, c := range []struct {
		state     State
		one, many string
	}{
		{OK, "ok", "ok"}, {Warn, "warning", "warnings"}, {Fail, "failure", "failures"}, {Unknown, "unknown", "unknown"},
	} {
		switch n := r.Count(c.state); {
		case n == 1:
			parts = append(parts, "1 "+c.one)
		case n > 1:
			parts = append(parts, fmt.Sprintf("%d %s", n, c.many))
		}
	}
	if parts == nil {
		return "nothing was checked"
	}
	return strings.Join(parts, ", ")
}

// Text returns the report for people: the findings by group, each with state,
// title, what was found and is wanted, below it the remedy; what was skipped
// in short; the summary at the end.
func (r Report) Text(l Layout) string {
	var b strings.Builder
	b.WriteString(strings.Join(wrap(r.head(), l.room(0)), "\n") + "\n")
	group, remedy := "", ""
	wide := r.titleWidth()
	for _, f := range r.Findings {
		if f.State == Skip {
			continue
		}
		if f.Group != group {
			group = f.Group
			b.WriteString("\n" + l.style(PartHeading, group) + "\n")
		}
		l.finding(&b, f, wide, remedy)
		remedy = f.Remedy
	}
	l.skipped(&b, r.Findings)
	b.WriteString("\n" + r.Summary() + "\n")
	return b.String()
}

// head says what was checked, when and by what.
func (r Report) head() string {
	head := fmt.Sprintf("Readiness of %s (%s)", r.Hostname, r.Port)
	if r.For != TargetAny {
		head += " for " + string(r.For)
	}
	return head + fmt.Sprintf(", %s, gobuild %s", r.Time.UTC().Format(time.RFC3339), r.Version)
}

// titleWidth returns the width of the column of titles.
func (r Report) titleWidth() int {
	wide := 0
	for _, f := range r.Findings {
		if f.State != Skip {
			wide = max(wide, runes(f.Title))
		}
	}
	return wide
}

// stateWidth is the width of the column of states.
const stateWidth = len(Unknown)

// finding writes a finding. A remedy that was given for the one before is not
// said again.
func (l Layout) finding(b *strings.Builder, f Finding, wide int, before string) {
	column := 2 + stateWidth + 2 + wide + 2
	fmt.Fprintf(b, "  %s%*s", l.style(Part(f.State), string(f.State)), stateWidth+2-len(f.State), "")
	b.WriteString(l.style(PartTitle, f.Title))
	begun := l.Width == 0 || l.Width-column >= narrow
	if begun {
		fmt.Fprintf(b, "%*s", wide+2-runes(f.Title), "")
	} else { // no room beside the title: all of it below
		b.WriteString("\n")
		column = 4
	}
	wanted := ""
	if f.Wanted != "" {
		wanted = "wanted: " + f.Wanted
	}
	switch oneLine := f.Found + " (" + wanted + ")"; {
	case wanted == "":
		l.lines(b, column, "", f.Found, begun)
	case l.Width == 0, begun && column+runes(oneLine) <= l.Width:
		b.WriteString(f.Found + l.style(PartWanted, " ("+wanted+")") + "\n")
	default:
		l.lines(b, column, "", f.Found, begun)
		if f.State != OK { // which is not worth a line of its own
			l.lines(b, column, PartWanted, wanted, false)
		}
	}
	if f.Remedy != "" && f.Remedy != before {
		l.lines(b, column, PartRemedy, "-> "+f.Remedy, false)
	}
	if l.Sections && f.Section != "" {
		l.lines(b, column, PartWanted, "see "+f.Section, false)
	}
}

// lines writes text from the given column on, in as many lines as it takes.
// The first line is begun if the cursor stands at that column already.
func (l Layout) lines(b *strings.Builder, column int, part Part, text string, begun bool) {
	indent := column
	if strings.HasPrefix(text, "-> ") {
		indent += len("-> ")
	}
	for i, line := range wrap(text, l.room(indent)) {
		switch {
		case i > 0:
			fmt.Fprintf(b, "%*s", indent, "")
		case !begun:
			fmt.Fprintf(b, "%*s", column, "")
		}
		b.WriteString(l.style(part, line) + "\n")
	}
}

// runes counts the characters of a text.
func runes(text string) int { return utf8.RuneCountInString(text) }

// skipped names what was skipped, once for each reason.
func (l Layout) skipped(b *strings.Builder, findings []Finding) {
	var reasons []string
	titles := map[string][]string{}
	for _, f := range findings {
		if f.State != Skip {
			continue
		}
		if titles[f.Found] == nil {
			reasons = append(reasons, f.Found)
		}
		titles[f.Found] = append(titles[f.Found], f.Title)
	}
	if len(reasons) == 0 {
		return
	}
	b.WriteString("\n" + l.style(PartHeading, "Skipped") + "\n")
	for _, reason := range reasons {
		l.lines(b, 2, "", reason+": "+strings.Join(titles[reason], ", "), false)
	}
}

func (l Layout) style(part Part, text string) string {
	if l.Style == nil || part == "" {
		return text
	}
	return l.Style(part, text)
}

// narrow is the least width that a text is broken to.
const narrow = 24

// room returns how wide a text may be that is indented, 0 for no bounds.
func (l Layout) room(indent int) int {
	if l.Width == 0 {
		return 0
	}
	return max(narrow, l.Width-indent)
}

// wrap breaks text at blanks into lines of at most width characters; width 0
// means one line. A word that is longer has a line of its own.
func wrap(text string, width int) []string {
	if width == 0 {
		return []string{text}
	}
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		switch {
		case line == "":
			line = word
		case runes(line)+1+runes(word) > width:
			lines = append(lines, line)
			line = word
		default:
			line += " " + word
		}
	}
	return append(lines, line)
}
