package interop

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gobuild/pkg/lint"
)

var update = flag.Bool("update", false, "write the lists of findings anew; their judgements stay")

// TestRealFindings compares all that lint finds in the real builders.go, within
// its module and alone, with testdata/real_findings.txt.
func TestRealFindings(t *testing.T) {
	dir := copyModule(t, moduleDir(t, upstreamBuild))
	inModule := filepath.Join(dir, "dashboard", "builders.go")
	text, err := os.ReadFile(inModule)
	if err != nil {
		t.Fatal(err)
	}
	alone := filepath.Join(t.TempDir(), "builders.go")
	write(t, alone, string(text))
	found := lines(lintFile(t, inModule))
	if diff := cmp.Diff(found, lines(lintFile(t, alone))); diff != "" {
		t.Errorf("the file alone has other findings (-module +alone):\n%s", diff)
	}
	compareJudged(t, "real_findings.txt", found)
}

// lines returns findings as the lists have them.
func lines(findings []lint.Finding) (list []string) {
	for _, f := range findings {
		f.File = filepath.Base(f.File)
		list = append(list, f.String())
	}
	return list
}

// judged is a list of findings in testdata: an introduction, then each finding
// on a line of its own with the judgement of it, in comments, below.
type judged struct {
	intro     string
	findings  []string
	judgement map[string]string
}

func readJudged(t *testing.T, file string) judged {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	j := judged{judgement: map[string]string{}}
	last := ""
	for line := range strings.Lines(string(text)) {
		switch {
		case strings.HasPrefix(line, "#") && last == "":
			j.intro += line
		case strings.HasPrefix(line, "#"):
			j.judgement[last] += line
		case strings.TrimSpace(line) != "":
			last = strings.TrimSuffix(line, "\n")
			j.findings = append(j.findings, last)
		}
	}
	return j
}

// compareJudged compares findings with a list in testdata, all of which have to
// be judged, and those at severity error to be true.
func compareJudged(t *testing.T, name string, found []string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	j := readJudged(t, file)
	if *update {
		j = j.with(found)
		write(t, file, j.String())
	}
	if diff := cmp.Diff(j.findings, found); diff != "" {
		t.Errorf("%s (go test -update, then judge what is new and take out what is gone) (-list +found):\n%s", file, diff)
	}
	for _, f := range j.findings {
		isTrue := strings.HasPrefix(j.judgement[f], "# true: ")
		switch {
		case !isTrue && !strings.HasPrefix(j.judgement[f], "# false: "):
			t.Errorf("%s: %s is not judged: below it has to be \"# true: WHY\" or \"# false: WHY\"", file, f)
		case !isTrue && strings.Contains(f, ": error: "):
			t.Errorf("%s: %s is an error and not true", file, f)
		}
	}
}

// with returns the list of other findings. One that has only moved keeps its
// judgement; those that are gone stay at the end, for their judgement's sake.
func (j judged) with(found []string) judged {
	n := judged{intro: j.intro, findings: slices.Clone(found), judgement: map[string]string{}}
	for _, f := range j.findings {
		i := slices.Index(found, f)
		if i < 0 {
			i = slices.IndexFunc(found, func(other string) bool { return withoutPlace(other) == withoutPlace(f) && n.judgement[other] == "" })
		}
		if i < 0 {
			n.findings = append(n.findings, f)
			n.judgement[f] = j.judgement[f]
			continue
		}
		n.judgement[found[i]] = j.judgement[f]
	}
	return n
}

func (j judged) String() string {
	var b strings.Builder
	b.WriteString(j.intro)
	for _, f := range j.findings {
		fmt.Fprintf(&b, "\n%s\n%s", f, j.judgement[f])
	}
	return b.String()
}

// withoutPlace returns a finding without its line and column.
func withoutPlace(finding string) string {
	before, rest, _ := strings.Cut(finding, "builders.go:")
	_, message, _ := strings.Cut(rest, ": ")
	return before + message
}

// TestJudgementsStay checks what -update leaves of judgements.
func TestJudgementsStay(t *testing.T) {
	old := judged{
		intro:     "# intro\n",
		findings:  []string{"builders.go:1:1: error: a [x]", "builders.go:2:1: info: b [y]", "builders.go:3:1: info: c [z]"},
		judgement: map[string]string{"builders.go:1:1: error: a [x]": "# true: a\n", "builders.go:2:1: info: b [y]": "# false: b\n# and more\n", "builders.go:3:1: info: c [z]": "# true: c\n"},
	}
	got := old.with([]string{"builders.go:1:1: error: a [x]", "builders.go:4:1: info: d [w]", "builders.go:9:9: info: b [y]"}).String()
	want := `# intro

builders.go:1:1: error: a [x]
# true: a

builders.go:4:1: info: d [w]

builders.go:9:9: info: b [y]
# false: b
# and more

builders.go:3:1: info: c [z]
# true: c
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
