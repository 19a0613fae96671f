package builders

import (
	"bytes"
	"flag"
	"fmt"
	"go/format"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"gobuild/pkg/buildconfig"
	"gobuild/pkg/lint"
)

var update = flag.Bool("update", false, "write golden files anew")

// TestRules checks each rule with its testdata/rules/RULE.txtar. In it are
// pairs of bad*.go, in which the rule finds something, and good*.go, in which
// no rule does; and, written by -update, want with all that is found in the bad
// ones and, for rules that can mend, the mended bad*.go as fixed*.go.
func TestRules(t *testing.T) {
	var docs []lint.Doc
	for _, rule := range Rules() {
		docs = append(docs, rule.Doc)
	}
	eachCase(t, "rules", docs, (*ruleCase).lint)
}

// TestChangeRules does the same with the rules about changes and
// testdata/changes/RULE.txtar: each bad*.go and good*.go is a new version of
// old.go, and only rules about changes are applied.
func TestChangeRules(t *testing.T) {
	var docs []lint.Doc
	for _, rule := range ChangeRules() {
		docs = append(docs, rule.Doc)
	}
	eachCase(t, "changes", docs, (*ruleCase).lintChange)
}

// eachCase checks each rule with its archive in a directory of testdata, and
// that the directory has no others.
func eachCase(t *testing.T, dir string, docs []lint.Doc, check func(c *ruleCase, text []byte) []lint.Finding) {
	files, _ := filepath.Glob(filepath.Join("testdata", dir, "*.txtar"))
	for _, doc := range docs {
		t.Run(doc.ID, func(t *testing.T) {
			file := filepath.Join("testdata", dir, doc.ID+".txtar")
			c := newCase(t, doc, file)
			c.check(check)
			if *update {
				if err := os.WriteFile(file, txtar.Format(c.archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
		files = slices.DeleteFunc(files, func(file string) bool { return filepath.Base(file) == doc.ID+".txtar" })
	}
	for _, file := range files {
		t.Errorf("%s is of no rule", file)
	}
}

type ruleCase struct {
	t       *testing.T
	rule    lint.Doc
	archive *txtar.Archive
	file    string // under test: it lies with the frame, in a module
}

// newCase returns the case of a rule with an archive.
func newCase(t *testing.T, rule lint.Doc, archive string) *ruleCase {
	t.Helper()
	ar, err := txtar.ParseFile(archive)
	if err != nil {
		t.Fatal(err)
	}
	return &ruleCase{t: t, rule: rule, archive: ar, file: filepath.Join(t.TempDir(), "dashboard", "builders.go")}
}

func (c *ruleCase) check(check func(c *ruleCase, text []byte) []lint.Finding) {
	var want bytes.Buffer
	bad, good := 0, 0
	for _, f := range slices.Clone(c.archive.Files) {
		if formatted, err := format.Source(f.Data); strings.HasSuffix(f.Name, ".go") && err == nil && !bytes.Equal(formatted, f.Data) {
			c.t.Errorf("%s is not gofmt'd", f.Name)
		}
		switch {
		case strings.HasPrefix(f.Name, "bad"):
			bad++
			findings := check(c, f.Data)
			if !slices.ContainsFunc(findings, func(f lint.Finding) bool { return f.Rule == c.rule.ID }) {
				c.t.Errorf("%s: the rule finds nothing", f.Name)
			}
			for _, finding := range findings {
				fmt.Fprintf(&want, "%s:%d:%d: %s: %s [%s]\n", f.Name, finding.Line, finding.Column, finding.Severity, finding.Message, finding.Rule)
			}
			c.checkFix(f, findings)
		case strings.HasPrefix(f.Name, "good"):
			good++
			for _, finding := range check(c, f.Data) {
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
	fixed, made, err := lint.Apply(c.file, f.Data, findings)
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
	again := c.lint(fixed)
	for _, finding := range again {
		if finding.Rule == c.rule.ID && finding.Fix != nil {
			c.t.Errorf("mended %s: %s", f.Name, finding)
		}
	}
	if second, _, err := lint.Apply(c.file, fixed, again); err != nil || !bytes.Equal(second, fixed) {
		c.t.Errorf("%s: mending again changes something (%v)", f.Name, err)
	}
}

func (c *ruleCase) lint(text []byte) []lint.Finding {
	c.t.Helper()
	src := c.read(text)
	return c.report(src, func(r *lint.Reporter) { Check(src, r) })
}

// lintChange applies the rules about changes from old.go.
func (c *ruleCase) lintChange(text []byte) []lint.Finding {
	c.t.Helper()
	i := slices.IndexFunc(c.archive.Files, func(f txtar.File) bool { return f.Name == "old.go" })
	if i < 0 {
		c.t.Fatal("no old.go")
	}
	return c.findChange(c.archive.Files[i].Data, text)
}

func (c *ruleCase) findChange(from, to []byte) []lint.Finding {
	c.t.Helper()
	old, src := c.read(from), c.read(to)
	return c.report(src, func(r *lint.Reporter) { CheckChange(src, old, r) })
}

func (c *ruleCase) report(src *buildconfig.Source, check func(*lint.Reporter)) []lint.Finding {
	r := lint.NewReporter(nil)
	check(r)
	lint.Ignore(r, Comments(src), Known())
	lint.Sort(r.Findings)
	return r.Findings
}

func (c *ruleCase) read(text []byte) *buildconfig.Source {
	c.t.Helper()
	c.writeFrame()
	src := readInFrame(c.t, c.file, text)
	for _, err := range src.Syntax {
		if c.rule.ID != "syntax" {
			c.t.Error(err)
		}
	}
	return src
}

// writeFrame writes the archive's frame/*, such as another go.mod and other
// packages of the module, above the directory of the file under test.
func (c *ruleCase) writeFrame() {
	c.t.Helper()
	for _, f := range c.archive.Files {
		rel, ok := strings.CutPrefix(f.Name, "frame/")
		if !ok {
			continue
		}
		name := filepath.Join(filepath.Dir(filepath.Dir(c.file)), filepath.FromSlash(rel))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			c.t.Fatal(err)
		}
		if err := os.WriteFile(name, f.Data, 0o644); err != nil {
			c.t.Fatal(err)
		}
	}
}

// readInFrame reads a builders.go that lies beside the frame in testdata, in a
// module of its own unless there is a go.mod above.
func readInFrame(t testing.TB, name string, text []byte) *buildconfig.Source {
	t.Helper()
	prelude, err := os.ReadFile("testdata/prelude.go")
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{"prelude.go": prelude, "builders.go": text}
	if _, err := os.Stat(filepath.Join(filepath.Dir(dir), "go.mod")); err != nil {
		files["go.mod"] = []byte("module example.org/farm\n")
	}
	for file, data := range files {
		if err := os.WriteFile(filepath.Join(dir, file), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	src, err := buildconfig.ReadSource(name, nil)
	if err != nil {
		t.Fatal(err)
	}
	return src
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
