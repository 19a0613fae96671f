package lint

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"charm.land/lipgloss/v2"
)

var update = flag.Bool("update", false, "write the golden files anew")

// textFindings are findings in lines that are hard to show.
func textFindings() (string, []Finding) {
	lines := []struct{ line, value string }{
		{"\t\"host\": {Notes: \"plain\"}, // remark", `"plain"`},
		{"\t\"host\":\t{Notes:\t\"a\ttab\"},", "\"a\ttab\""},
		{"\tNotes: \"世界\", Name: \"ワイド\",", `"ワイド"`},
		{"\tNotes: \"e\u0301\", Name: \"x\",", `"x"`},
		{"\tNotes: \"\x1b[31m\x07\", Name: \"\x1b]0;title\x07\",", "\"\x1b]0;title\x07\""},
		{"\tNotes: \"\xff\xfe\", Name: \"\xffx\",", "\"\xffx\""},
		{strings.Repeat("left ", 60) + "VALUE" + strings.Repeat(" right", 60), "VALUE"},
		{"short " + strings.Repeat("value", 80) + " after", strings.Repeat("value", 80)},
		{strings.Repeat("世", 200) + "VALUE", "VALUE"},
		{"with a carriage return\r", "return"},
		{"", ""},
		{"at the end", ""},
	}
	var text strings.Builder
	var list []Finding
	for i, l := range lines {
		text.WriteString(l.line + "\n")
		at := len(l.line)
		if l.value != "" {
			at = strings.Index(l.line, l.value)
		}
		list = append(list, Finding{
			Rule: "rule", Severity: Warning, File: "x.go", Line: i + 1, Column: at + 1,
			EndLine: i + 1, EndColumn: at + 1 + len(l.value), Message: "look \x1b[2Jhere",
		})
	}
	list = append(list,
		Finding{Rule: "other", Severity: Error, File: "x.go", Line: 1, Column: 2, EndLine: 3, EndColumn: 2, Message: "of several lines"},
		Finding{Rule: "other", Severity: Error, File: "x.go", Line: 999, Column: 1, EndLine: 999, EndColumn: 2, Message: "behind the end"},
		Finding{Rule: "other", Severity: Info, File: "gone.go", Line: 1, Column: 1, EndLine: 1, EndColumn: 2, Message: "without its text"})
	return text.String(), list
}

func TestWriteText(t *testing.T) {
	text, findings := textFindings()
	for golden, width := range map[string]int{"text.golden": 0, "text80.golden": 80} {
		var out strings.Builder
		err := WriteText(&out, findings, TextOptions{
			Source: ReadSource(map[string][]byte{"x.go": []byte(text)}), Explain: "explain", Width: width,
		})
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join("testdata", golden)
		if *update {
			if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if out.String() != string(want) {
			t.Errorf("%s: got\n%s\nwant\n%s", golden, &out, want)
		}
		if width == 0 {
			width = defaultWidth
		}
		for line := range strings.Lines(out.String()) {
			line = strings.TrimSuffix(line, "\n")
			if lipgloss.Width(line) > width {
				t.Errorf("%s: wider than %d: %q", golden, width, line)
			}
			if strings.ContainsAny(line, "\x1b\x07\r") {
				t.Errorf("%s: a control character is left: %q", golden, line)
			}
		}
	}
}

func TestWriteGitHub(t *testing.T) {
	var out strings.Builder
	if err := WriteGitHub(&out, []Finding{
		{Rule: "a", Severity: Error, File: "a,b:c%.go", Line: 1, Column: 2, EndLine: 3, EndColumn: 4, Message: "100%, a:b\r\n::error::x"},
		{Rule: "b", Severity: Warning, File: "x.go", Line: 1, Column: 1, EndLine: 1, EndColumn: 1},
		{Rule: "c", Severity: Info, File: "x.go", Line: 1, Column: 1, EndLine: 1, EndColumn: 1},
	}); err != nil {
		t.Fatal(err)
	}
	const want = "::error file=a%2Cb%3Ac%25.go,line=1,endLine=3,col=2,endColumn=4,title=a::100%25, a:b%0D%0A::error::x\n" +
		"::warning file=x.go,line=1,endLine=1,col=1,endColumn=1,title=b::\n" +
		"::notice file=x.go,line=1,endLine=1,col=1,endColumn=1,title=c::\n"
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &out, want)
	}
}
