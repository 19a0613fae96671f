package lint

import (
	"bytes"
	"io"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"
)

// WriteSARIF prints findings as a SARIF 2.1.0 log of the program version.
// rules are those that were applied; texts are the linted files, by name.
func WriteSARIF(w io.Writer, version string, rules []Doc, findings []Finding, texts map[string][]byte) error {
	run := sarif.NewRun()
	// Columns count bytes here and UTF-16 units there unless it is said.
	run.WithColumnKind("utf16CodeUnits")
	run.Tool = sarif.NewTool()
	run.Tool.Driver = sarif.NewToolComponent().WithName("gobuild lint").WithVersion(version)
	for _, d := range rules {
		run.AddRule(d.ID).
			WithShortDescription(sarif.NewMultiformatMessageString().WithText(d.Title)).
			WithFullDescription(sarif.NewMultiformatMessageString().WithText(d.Why)).
			WithHelp(sarif.NewMultiformatMessageString().WithText(d.Explain())).
			WithDefaultConfiguration(sarif.NewReportingConfiguration().WithLevel(sarifLevel(d.Severity)))
	}
	for _, f := range findings {
		result := sarif.NewRuleResult(f.Rule).WithLevel(sarifLevel(f.Severity)).WithMessage(sarif.NewTextMessage(f.Message))
		region := sarif.NewRegion().WithStartLine(f.Line).WithStartColumn(units(texts[f.File], f.Line, f.Column)).
			WithEndLine(f.EndLine).WithEndColumn(units(texts[f.File], f.EndLine, f.EndColumn))
		place := sarif.NewArtifactLocation().WithURI(fileURI(f.File))
		result.AddLocation(sarif.NewLocationWithPhysicalLocation(sarif.NewPhysicalLocation().WithArtifactLocation(place).WithRegion(region)))
		if f.Fix != nil {
			change := sarif.NewArtifactChange().WithArtifactLocation(place)
			for _, e := range f.Fix.Edits {
				change.AddReplacement(sarif.NewReplacement().
					WithDeletedRegion(sarif.NewRegion().WithByteOffset(e.Start).WithByteLength(e.End - e.Start)).
					WithInsertedContent(sarif.NewArtifactContent().WithText(e.New)))
			}
			result.AddFixe(sarif.NewFix().WithDescription(sarif.NewTextMessage(f.Fix.Message)).AddArtifactChange(change))
		}
		run.AddResult(result)
	}
	rep := sarif.NewReport()
	rep.AddRun(run)
	return rep.PrettyWrite(w)
}

func sarifLevel(s Severity) string {
	switch s {
	case Error:
		return "error"
	case Warning:
		return "warning"
	}
	return "note"
}

// fileURI returns the URI reference of a file: a relative one stays relative.
func fileURI(file string) string {
	file = filepath.ToSlash(file)
	if strings.HasPrefix(file, "/") {
		return (&url.URL{Scheme: "file", Path: file}).String()
	}
	if len(file) > 1 && file[1] == ':' { // a drive of Windows
		return (&url.URL{Scheme: "file", Path: "/" + file}).String()
	}
	return (&url.URL{Path: file}).String()
}

// units returns the column of a byte in UTF-16 units, both from 1.
func units(text []byte, line, column int) int {
	for range line - 1 {
		i := bytes.IndexByte(text, '\n')
		if i < 0 {
			return column
		}
		text = text[i+1:]
	}
	if column-1 > len(text) {
		return column
	}
	n := 1
	for _, r := range string(text[:column-1]) {
		n++
		if r > 0xffff {
			n++
		}
	}
	return n
}
