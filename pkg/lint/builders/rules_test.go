package builders

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"gobuild/pkg/buildconfig"
	"gobuild/pkg/lint"
	"gobuild/pkg/lint/linttest"
)

var update = flag.Bool("update", false, "write golden files anew")

// TestRules checks each rule with its testdata/rules/RULE.txtar.
func TestRules(t *testing.T) {
	linttest.Each(t, "testdata/rules", *update, rules.Docs(), func(c *linttest.Case) {
		rc := newCase(c.T, c.Rule, c.Archive)
		c.File, c.Find = rc.file, rc.lint
	})
}

// TestChangeRules does the same with the rules about changes and
// testdata/changes/RULE.txtar: each bad*.go and good*.go is a new version of
// old.go, and only rules about changes are applied.
func TestChangeRules(t *testing.T) {
	linttest.Each(t, "testdata/changes", *update, changeRules.Docs(), func(c *linttest.Case) {
		rc := newCase(c.T, c.Rule, c.Archive)
		c.File, c.Find = rc.file, rc.lintChange
	})
}

// TestDocs checks that every rule says what it is about.
func TestDocs(t *testing.T) {
	linttest.Docs(t, Rules())
	linttest.Docs(t, ChangeRules())
	if names := lint.Names(Docs()); len(slices.Compact(names)) != len(Docs()) {
		t.Error("two rules have the same name")
	}
}

// ruleCase is a rule with files for it.
type ruleCase struct {
	t       *testing.T
	rule    lint.Doc
	archive *txtar.Archive
	file    string // under test: it lies with the frame, in a module
}

// newCase returns the case of a rule with an archive.
func newCase(t *testing.T, rule lint.Doc, archive *txtar.Archive) *ruleCase {
	return &ruleCase{t: t, rule: rule, archive: archive, file: filepath.Join(t.TempDir(), "dashboard", "builders.go")}
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
	lint.Ignore(r, Comments(src), lint.Names(Docs()))
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
