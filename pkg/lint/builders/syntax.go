package builders

import (
	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "syntax", Severity: lint.Error, Title: "text that is not Go",
		Why: "The file does not compile. What could be read of it is looked at all the same, but nothing is said to be " +
			"missing: it may stand where the file could not be read.",
		Before: `"host-linux-amd64": {ContainerImage: "linux-x86:latest"`,
		After:  `"host-linux-amd64": {ContainerImage: "linux-x86:latest"},`,
	},
	Check: func(p *Pass) {
		line, lines := 0, 0
		for i, err := range p.Syntax {
			if err.Pos.Line == line {
				continue // follows from the one before
			}
			line, lines = err.Pos.Line, lines+1
			at := lint.Span{Start: err.Pos, End: err.Pos}
			at.End.Column++
			if lines > maxSyntax {
				p.reporter.Report(p.rule, at, nil, "%s; %d more mistakes come after this, most of them because of one before it", err.Msg, len(p.Syntax)-i-1)
				return
			}
			p.reporter.Report(p.rule, at, nil, "%s", err.Msg)
		}
	},
})

// maxSyntax is how many lines with mistakes are reported: the parser takes all
// that follows a missing bracket for mistakes.
const maxSyntax = 20
