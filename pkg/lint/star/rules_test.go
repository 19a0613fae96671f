package star

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"gobuild/pkg/lint"
)

var update = flag.Bool("update", false, "write golden files anew")

// TestRules checks each rule with its testdata/rules/RULE.txtar. In it are
// pairs of bad*.star, in which the rule finds something, and good*.star, in
// which no rule does; and, written by -update, want with all that is found in
// the bad ones and, for rules that can mend, the mended bad*.star as
// fixed*.star. Behind each of them stands testdata/prelude.star.
func TestRules(t *testing.T) {
	for _, rule := range Rules() {
		t.Run(rule.ID, func(t *testing.T) {
			file := filepath.Join("testdata", "rules", rule.ID+".txtar")
			ar, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			c := ruleCase{t: t, rule: rule, archive: ar}
			c.check()
			if *update {
				if err := os.WriteFile(file, txtar.Format(c.archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
	known := Known()
	files, _ := filepath.Glob("testdata/rules/*.txtar")
	for _, file := range files {
		if name := strings.TrimSuffix(filepath.Base(file), ".txtar"); !slices.Contains(known, name) {
			t.Errorf("%s is of no rule", file)
		}
	}
}

type ruleCase struct {
	t       *testing.T
	rule    Rule
	archive *txtar.Archive
}

func (c *ruleCase) check() {
	var want bytes.Buffer
	bad, good := 0, 0
	for _, f := range slices.Clone(c.archive.Files) {
		switch {
		case strings.HasPrefix(f.Name, "bad"):
			bad++
			findings := lintText(c.t, f.Data)
			if !slices.ContainsFunc(findings, func(f lint.Finding) bool { return f.Rule == c.rule.ID }) {
				c.t.Errorf("%s: the rule finds nothing", f.Name)
			}
			for _, finding := range findings {
				fmt.Fprintf(&want, "%s:%d:%d: %s: %s [%s]\n", f.Name, finding.Line, finding.Column, finding.Severity, finding.Message, finding.Rule)
			}
			c.checkFix(f, findings)
		case strings.HasPrefix(f.Name, "good"):
			good++
			for _, finding := range lintText(c.t, f.Data) {
				c.t.Errorf("%s: %s", f.Name, finding)
			}
		}
	}
	if bad == 0 || good == 0 {
		c.t.Errorf("%d bad files, %d good ones: at least one of each", bad, good)
	}
	c.golden("want", want.Bytes())
}

// checkFix checks what --fix makes of a bad file: nothing that the rule finds
// and can mend is left, and once more nothing changes.
func (c *ruleCase) checkFix(f txtar.File, findings []lint.Finding) {
	fixed, made, err := lint.Apply(testName, f.Data, findings)
	if err != nil {
		c.t.Errorf("%s: %v", f.Name, err)
		return
	}
	own := slices.ContainsFunc(findings, func(f lint.Finding) bool { return f.Rule == c.rule.ID && f.Fix != nil })
	if !c.rule.Fix {
		if own {
			c.t.Errorf("%s: the rule mends, and its documentation does not say so", f.Name)
		}
		return
	}
	if made == 0 || !own {
		c.t.Errorf("%s: nothing is mended", f.Name)
	}
	c.golden(strings.Replace(f.Name, "bad", "fixed", 1), fixed)
	again := lintText(c.t, fixed)
	for _, finding := range again {
		if finding.Rule == c.rule.ID && finding.Fix != nil {
			c.t.Errorf("mended %s: %s", f.Name, finding)
		}
	}
	if second, _, err := lint.Apply(testName, fixed, again); err != nil || !bytes.Equal(second, fixed) {
		c.t.Errorf("%s: mending again changes something (%v)", f.Name, err)
	}
}

// testName is the name of the linted file.
const testName = "main.star"

// withPrelude returns a text with the functions behind it.
func withPrelude(t testing.TB, text []byte) []byte {
	t.Helper()
	prelude, err := os.ReadFile("testdata/prelude.star")
	if err != nil {
		t.Fatal(err)
	}
	return slices.Concat(text, []byte("\n"), prelude)
}

func lintText(t testing.TB, text []byte) []lint.Finding {
	t.Helper()
	src, err := Read(testName, withPrelude(t, text))
	if err != nil {
		t.Fatal(err)
	}
	r := lint.NewReporter(nil)
	Check(src, r)
	lint.Ignore(r, Comments(src), Known())
	lint.Sort(r.Findings)
	return r.Findings
}

// golden compares data with a file of the archive, or writes it.
func (c *ruleCase) golden(name string, data []byte) {
	i := slices.IndexFunc(c.archive.Files, func(f txtar.File) bool { return f.Name == name })
	switch {
	case *update && i < 0:
		c.archive.Files = append(c.archive.Files, txtar.File{Name: name, Data: data})
	case *update:
		c.archive.Files[i].Data = data
	case i < 0:
		c.t.Errorf("no %s (go test -update)", name)
	case !bytes.Equal(c.archive.Files[i].Data, data):
		c.t.Errorf("%s (go test -update):\n%s\nwant:\n%s", name, data, c.archive.Files[i].Data)
	}
}

// TestDocs checks that every rule says what it is about.
func TestDocs(t *testing.T) {
	for _, rule := range Rules() {
		d := rule.Doc
		if d.Title == "" || d.Why == "" || d.Before == "" || d.After == "" || !d.Severity.Valid() || d.Severity == lint.Off {
			t.Errorf("rule %s lacks documentation", d.ID)
		}
		if rule.Check == nil {
			t.Errorf("rule %s checks nothing", d.ID)
		}
	}
	if n := len(Known()); len(slices.Compact(Known())) != n {
		t.Error("two rules have the same name")
	}
}
