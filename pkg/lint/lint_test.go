package lint

import (
	"go/token"
	"slices"
	"testing"
)

// spanAt returns the span of the first letter of a place.
func spanAt(file string, line, column int) Span {
	start := token.Position{Filename: file, Line: line, Column: column}
	end := start
	end.Column++
	return Span{start, end}
}

func TestReporter(t *testing.T) {
	loud := Doc{ID: "loud", Severity: Error}
	quiet := Doc{ID: "quiet", Severity: Info}
	off := Doc{ID: "off", Severity: Error}
	r := NewReporter(map[string]Severity{"quiet": Warning, "off": Off})
	fix := &Fix{Message: "mend"}
	r.Report(loud, spanAt("a.go", 3, 5), fix, "%d of %d", 1, 2)
	r.Report(quiet, spanAt("a.go", 3, 5), nil, "worth a look")
	r.Report(off, spanAt("a.go", 3, 5), nil, "never")
	r.Report(loud, spanAt("a.go", 3, 5), nil, "1 of 2")  // again
	r.Report(loud, spanAt("a.go", 3, 5), nil, "2 of 2")  // another of the same place
	r.Report(loud, spanAt("b.go", 3, 5), nil, "1 of 2")  // another file
	r.Report(loud, spanAt("a.go", 30, 5), nil, "1 of 2") // another line
	want := []string{
		"a.go:3:5: error: 1 of 2 [loud]",
		"a.go:3:5: warning: worth a look [quiet]",
		"a.go:3:5: error: 2 of 2 [loud]",
		"b.go:3:5: error: 1 of 2 [loud]",
		"a.go:30:5: error: 1 of 2 [loud]",
	}
	if got := texts(r.Findings); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	first := r.Findings[0]
	if first.Fix != fix || first.EndLine != 3 || first.EndColumn != 6 || first.URL != loud.URL() {
		t.Errorf("%+v", first)
	}
	if NewReporter(nil).SeverityOf(quiet) != Info || r.SeverityOf(quiet) != Warning || r.SeverityOf(off) != Off {
		t.Error("wrong severities")
	}
}

func texts(findings []Finding) (list []string) {
	for _, f := range findings {
		list = append(list, f.String())
	}
	return list
}

func TestSort(t *testing.T) {
	sorted := []Finding{
		{File: "a.go", Line: 2, Column: 9, Severity: Info, Rule: "z"},
		{File: "a.go", Line: 10, Column: 1, Severity: Info, Rule: "z"},
		{File: "a.go", Line: 10, Column: 2, Severity: Error, Rule: "z"},
		{File: "a.go", Line: 10, Column: 2, Severity: Warning, Rule: "a", Message: "first"},
		{File: "a.go", Line: 10, Column: 2, Severity: Warning, Rule: "a", Message: "second"},
		{File: "a.go", Line: 10, Column: 2, Severity: Warning, Rule: "b"},
		{File: "a.go", Line: 10, Column: 2, Severity: Info, Rule: "a"},
		{File: "b.go", Line: 1, Column: 1, Severity: Error, Rule: "a"},
	}
	for shift := range len(sorted) {
		list := slices.Concat(sorted[shift:], sorted[:shift])
		slices.Reverse(list)
		Sort(list)
		if !slices.Equal(texts(list), texts(sorted)) {
			t.Fatalf("%q, want %q", texts(list), texts(sorted))
		}
	}
}

func TestSeverityValid(t *testing.T) {
	for _, s := range []Severity{Error, Warning, Info, Off} {
		if !s.Valid() {
			t.Errorf("%s is not valid", s)
		}
	}
	for _, s := range []Severity{"", "fatal", "Error", "warn"} {
		if s.Valid() {
			t.Errorf("%q is valid", s)
		}
	}
}
