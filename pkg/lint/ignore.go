package lint

import (
	"fmt"
	"slices"
	"strings"
)

// ignoreMark begins a comment that takes findings back: after it come the
// rule, or several with commas, and the reason.
const ignoreMark = "gobuild:ignore"

// BadIgnore is the rule about the comments that take findings back.
var BadIgnore = Doc{
	ID: "bad-ignore", Severity: Warning, Title: "a gobuild:ignore comment that is not as it should be",
	Why: "A comment that takes a finding back names the rule and says why, so that whoever " +
		"reads it later can judge whether that still holds. One without a reason, or for a rule that there is not, does nothing.",
	Before: "//gobuild:ignore host-unused",
	After:  "//gobuild:ignore host-unused waits for the boards, see go.dev/issue/12345",
}

// UnusedIgnore is the rule about comments that take nothing back.
var UnusedIgnore = Doc{
	ID: "unused-ignore", Severity: Info, Title: "a gobuild:ignore comment that takes nothing back",
	Why:    "The mistake that the comment excuses is no longer there. The comment would hide the next one.",
	Before: "//gobuild:ignore host-unused waits for the boards\n\"host-linux-arm\": {IsReverse: true, ExpectNum: 1}, // and there is a builder for it",
	After:  "\"host-linux-arm\": {IsReverse: true, ExpectNum: 1},",
}

// Comment is a comment of a linted file.
type Comment struct {
	Text string // without the marks of the language
	At   Span
	// Alone is set if nothing stands before it on its line: it is about the
	// next line then.
	Alone bool
	// Until is the last line of what begins on the line that the comment is
	// about, such as a literal of several lines.
	Until int
}

// Ignore returns findings without those that a comment takes back, and with
// those about the comments themselves. known are the rules that there are.
func Ignore(r *Reporter, comments []Comment, known []string) {
	about := NewReporter(r.severity)
	for _, c := range comments {
		text, ok := strings.CutPrefix(c.Text, ignoreMark)
		if !ok || text != "" && text[0] != ' ' && text[0] != '\t' {
			continue
		}
		names, reason, _ := strings.Cut(strings.TrimSpace(text), " ")
		rules := strings.Split(names, ",")
		switch {
		case names == "":
			about.Report(BadIgnore, c.At, nil, "the comment names no rule: %s RULE reason", ignoreMark)
			continue
		case strings.TrimSpace(reason) == "":
			about.Report(BadIgnore, c.At, nil, "the comment gives no reason: %s %s reason", ignoreMark, names)
			continue
		}
		line := c.At.Start.Line
		if c.Alone {
			line = c.At.End.Line + 1
		}
		used := false
		for _, rule := range rules {
			if !slices.Contains(known, rule) {
				about.Report(BadIgnore, c.At, nil, "there is no rule %q", rule)
				used = true
				continue
			}
			before := len(r.Findings)
			r.Findings = slices.DeleteFunc(r.Findings, func(f Finding) bool {
				return f.Rule == rule && f.File == c.At.Start.Filename && f.Line >= line && f.Line <= max(line, c.Until)
			})
			used = used || len(r.Findings) < before || !r.applied[rule]
		}
		if !used {
			about.Report(UnusedIgnore, c.At, nil, "nothing of %s is there to be ignored", strings.Join(rules, ", "))
		}
	}
	r.Findings = append(r.Findings, about.Findings...)
}

// String returns a finding as compilers print one.
func (f Finding) String() string {
	return fmt.Sprintf("%s:%d:%d: %s: %s [%s]", f.File, f.Line, f.Column, f.Severity, f.Message, f.Rule)
}
