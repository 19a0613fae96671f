package builders

import (
	"go/token"
	"strconv"
	"strings"

	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "evaluation-stopped", Severity: lint.Warning, Title: "source that cannot be followed to its end",
		Why: "The tables are read by following the source from its first declaration to the end of the last init function, " +
			"within bounds. Where that is given up, what would have come after is not known, and not looked at.",
		Before: "func init() {\n\tfor {\n\t}\n}",
		After:  "func init() {\n\tfor _, suffix := range []string{\"\", \"-race\"} {\n\t\taddBuilder(BuildConfig{Name: \"linux-amd64\" + suffix, HostType: \"host-linux-amd64\"})\n\t}\n}",
	},
	Check: func(p *Pass) {
		if p.Stopped == "" {
			return
		}
		why, at := p.stopPlace()
		p.reporter.Report(p.rule, at, nil, "the source was not followed to its end, and what comes after is not looked at: %s", why)
	},
})

// stopPlace takes the place out of the reason why reading was given up, if it
// is one in the linted file.
func (p *Pass) stopPlace() (why string, at lint.Span) {
	before, rest, found := strings.Cut(p.Stopped, " at "+p.Name+":")
	if !found {
		return p.Stopped, p.span(nil)
	}
	line, rest, _ := strings.Cut(rest, ":")
	column, rest, _ := strings.Cut(rest, " ")
	l, err1 := strconv.Atoi(line)
	c, err2 := strconv.Atoi(column)
	if err1 != nil || err2 != nil {
		return p.Stopped, p.span(nil)
	}
	start := token.Position{Filename: p.Name, Line: l, Column: c}
	end := start
	end.Column++
	return strings.TrimSpace(before + " here " + rest), lint.Span{Start: start, End: end}
}
