package builders

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gobuild/pkg/lint"
)

// TestIgnore checks what comments take back. In each file the host type none
// is found by host-kind, and sets GOMAXPROCS to what env-ignored finds.
func TestIgnore(t *testing.T) {
	const hosts = `package dashboard

var Hosts = map[string]*HostConfig{
%s
}

func init() {
	addBuilder(BuildConfig{Name: "linux-amd64", HostType: "host-linux-amd64"})
}
`
	const (
		kind    = "host-kind"
		ignored = "env-ignored"
		bad     = "bad-ignore"
		unused  = "unused-ignore"
	)
	oneLine := `	"host-linux-amd64": {env: []string{"GOMAXPROCS=x"}},`
	lines := "\t\"host-linux-amd64\": {\n\t\tNotes: \"nothing\",\n\t\tenv: []string{\n\t\t\t\"GOMAXPROCS=x\",\n\t\t},\n\t},"
	for _, test := range []struct {
		name, text string
		want       []string // rules that find something
	}{
		{"none", oneLine, []string{ignored, kind}},
		{"at the end of the line", oneLine + " //gobuild:ignore host-kind on its way", []string{ignored}},
		{"on the line above", "\t//gobuild:ignore host-kind on its way\n" + oneLine, []string{ignored}},
		{"two lines above", "\t//gobuild:ignore host-kind on its way\n\n" + oneLine, []string{ignored, kind, unused}},
		{"several rules", oneLine + " //gobuild:ignore host-kind,env-ignored on its way", nil},
		{"several comments", "\t//gobuild:ignore host-kind on its way\n" + oneLine + " //gobuild:ignore env-ignored on its way", nil},
		{"above a literal of several lines", "\t//gobuild:ignore host-kind,env-ignored on its way\n" + lines, nil},
		{
			"at the first line of several",
			strings.Replace(lines, "{\n", "{ //gobuild:ignore host-kind,env-ignored on its way\n", 1), nil,
		},
		{
			"within several lines",
			strings.Replace(lines, "\t\t\t\"GO", "\t\t\t//gobuild:ignore env-ignored on its way\n\t\t\t\"GO", 1), []string{kind},
		},
		{
			"at a line within, only that line",
			strings.Replace(lines, "\"nothing\",", "\"nothing\", //gobuild:ignore env-ignored on its way", 1), []string{ignored, kind, unused},
		},
		{"a rule that finds nothing", oneLine + " //gobuild:ignore host-unused on its way", []string{ignored, kind, unused}},
		{"a rule about changes, without one", oneLine + " //gobuild:ignore against-host-kind on its way", []string{ignored, kind}},
		{"two rules of which one finds something", oneLine + " //gobuild:ignore host-kind,host-unused on its way", []string{ignored}},
		{"no reason", oneLine + " //gobuild:ignore host-kind", []string{bad, ignored, kind}},
		{"blanks for a reason", oneLine + " //gobuild:ignore host-kind  ", []string{bad, ignored, kind}},
		{"no rule", oneLine + " //gobuild:ignore", []string{bad, ignored, kind}},
		{"a rule that there is not", oneLine + " //gobuild:ignore host-king on its way", []string{bad, ignored, kind}},
		{"one that there is not and one that there is", oneLine + " //gobuild:ignore host-king,host-kind on its way", []string{bad, ignored}},
		{"another word", oneLine + " //gobuild:ignores host-kind on its way", []string{ignored, kind}},
		{"with a blank before it", oneLine + " // gobuild:ignore host-kind on its way", []string{ignored, kind}},
		{"a tab behind it", oneLine + " //gobuild:ignore\thost-kind on its way", []string{ignored}},
		{"another line", oneLine + "\n\t//gobuild:ignore host-kind on its way", []string{ignored, kind, unused}},
		{"in a block comment", oneLine + " /*gobuild:ignore host-kind on its way*/", []string{ignored, kind}},
	} {
		t.Run(test.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "dashboard", "builders.go")
			findings := ignoreFindings(t, file, fmt.Sprintf(hosts, test.text), nil)
			var rules []string
			for _, f := range findings {
				rules = append(rules, f.Rule)
			}
			slices.Sort(rules)
			if !slices.Equal(rules, test.want) {
				t.Errorf("%q, want %q:\n%v", rules, test.want, findings)
			}
		})
	}
	t.Run("a rule that is off", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "dashboard", "builders.go")
		text := fmt.Sprintf(hosts, oneLine+" //gobuild:ignore host-kind,env-ignored on its way")
		off := map[string]lint.Severity{kind: lint.Off, ignored: lint.Off}
		if findings := ignoreFindings(t, file, text, off); len(findings) > 0 {
			t.Errorf("the comment is called unused: %v", findings)
		}
	})
	t.Run("comments about comments are off", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "dashboard", "builders.go")
		text := fmt.Sprintf(hosts, oneLine+" //gobuild:ignore\n\t//gobuild:ignore host-kind on its way")
		off := map[string]lint.Severity{bad: lint.Off, unused: lint.Off}
		for _, f := range ignoreFindings(t, file, text, off) {
			if f.Rule != kind && f.Rule != ignored {
				t.Error(f)
			}
		}
	})
}

// ignoreFindings returns what three rules find, and what there is to say
// about comments.
func ignoreFindings(t *testing.T, file, text string, severity map[string]lint.Severity) []lint.Finding {
	t.Helper()
	src := readInFrame(t, file, []byte(text))
	r := lint.NewReporter(severity)
	for _, rule := range Rules() {
		if slices.Contains([]string{"host-kind", "host-unused", "env-ignored"}, rule.ID) && r.Applies(rule.Doc) {
			rule.Check(&Pass{Source: src, rule: rule.Doc, reporter: r})
		}
	}
	lint.Ignore(r, Comments(src), lint.Names(Docs()))
	return r.Findings
}
