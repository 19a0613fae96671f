package star

import "gobuild/pkg/lint"

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "star-syntax", Severity: lint.Error, Title: "text that is not Starlark",
		Why: "lucicfg does not take the file. What could be read of it is looked at all the same, but nothing is said to be " +
			"missing: it may stand where the file could not be read.",
		Before: "BUILDER_TYPES = [\n    \"linux-amd64\"\n    \"linux-arm\"\n]",
		After:  "BUILDER_TYPES = [\n    \"linux-amd64\",\n    \"linux-arm\",\n]",
	},
	Check: func(p *Pass) {
		for i, err := range p.Syntax {
			at := lint.Span{Start: err.Pos, End: err.Pos}
			at.End.Column++
			if i == maxSyntax {
				p.reporter.Report(p.rule, at, nil, "%s; %d more mistakes come after this", err.Msg, len(p.Syntax)-i-1)
				return
			}
			p.reporter.Report(p.rule, at, nil, "%s", err.Msg)
		}
	},
})

// maxSyntax is how many mistakes are reported one by one.
const maxSyntax = 20
