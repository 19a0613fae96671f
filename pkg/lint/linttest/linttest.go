// Package linttest checks lint's rules in tests: against archives of files that
// are bad and good, and their documentation.
package linttest

import (
	"bytes"
	"fmt"
	"go/format"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"gobuild/pkg/lint"
)

// Case is a rule with its archive. In the archive are pairs of bad*, in which
// the rule finds something, and good*, in which no rule does; and, written
// anew on demand, want with all that is found in the bad ones and, for rules
// that can mend, the mended bad* as fixed*.
type Case struct {
	T       *testing.T
	Rule    lint.Doc
	Archive *txtar.Archive
	// File is the name of the linted file.
	File string
	// Find returns what is found in a file of the archive, or in a mended one.
	Find func(text []byte) []lint.Finding

	update bool // what is written is written anew
}

// Each checks each rule with its RULE.txtar of a directory, and that the
// directory has no others. complete sets a Case's File and Find. With update,
// the archives are written anew.
func Each(t *testing.T, dir string, update bool, rules []lint.Doc, complete func(*Case)) {
	files, _ := filepath.Glob(filepath.Join(dir, "*.txtar"))
	for _, rule := range rules {
		t.Run(rule.ID, func(t *testing.T) {
			file := filepath.Join(dir, rule.ID+".txtar")
			ar, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			c := &Case{T: t, Rule: rule, Archive: ar, update: update}
			complete(c)
			c.check()
			if update {
				if err := os.WriteFile(file, txtar.Format(ar), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
		files = slices.DeleteFunc(files, func(file string) bool { return filepath.Base(file) == rule.ID+".txtar" })
	}
	for _, file := range files {
		t.Errorf("%s is of no rule", file)
	}
}

func (c *Case) check() {
	var want bytes.Buffer
	bad, good := 0, 0
	for _, f := range slices.Clone(c.Archive.Files) {
		if formatted, err := format.Source(f.Data); strings.HasSuffix(f.Name, ".go") && err == nil && !bytes.Equal(formatted, f.Data) {
			c.T.Errorf("%s is not gofmt'd", f.Name)
		}
		switch {
		case strings.HasPrefix(f.Name, "bad"):
			bad++
			findings := c.Find(f.Data)
			if len(Of(c.Rule, findings)) == 0 {
				c.T.Errorf("%s: the rule finds nothing", f.Name)
			}
			for _, finding := range findings {
				fmt.Fprintf(&want, "%s:%d:%d: %s: %s [%s]\n", f.Name, finding.Line, finding.Column, finding.Severity, finding.Message, finding.Rule)
			}
			c.checkFix(f, findings)
		case strings.HasPrefix(f.Name, "good"):
			good++
			for _, finding := range c.Find(f.Data) {
				c.T.Errorf("%s: %s", f.Name, finding)
			}
		}
	}
	if bad == 0 || good == 0 {
		c.T.Errorf("%d bad files, %d good ones: at least one of each", bad, good)
	}
	c.golden("want", want.Bytes())
}

// checkFix checks what --fix makes of a bad file: nothing that the rule finds
// and can mend is left, and once more nothing changes.
func (c *Case) checkFix(f txtar.File, findings []lint.Finding) {
	fixed, made, err := lint.Apply(c.File, f.Data, findings)
	if err != nil {
		c.T.Errorf("%s: %v", f.Name, err)
		return
	}
	mends := func(f lint.Finding) bool { return f.Fix != nil }
	own := slices.ContainsFunc(Of(c.Rule, findings), mends)
	if !c.Rule.Fix {
		if own {
			c.T.Errorf("%s: the rule mends, and its documentation does not say so", f.Name)
		}
		return
	}
	if made == 0 || !own {
		c.T.Errorf("%s: nothing is mended", f.Name)
	}
	c.golden(strings.Replace(f.Name, "bad", "fixed", 1), fixed)
	again := c.Find(fixed)
	for _, finding := range Of(c.Rule, again) {
		if mends(finding) {
			c.T.Errorf("mended %s: %s", f.Name, finding)
		}
	}
	if second, _, err := lint.Apply(c.File, fixed, again); err != nil || !bytes.Equal(second, fixed) {
		c.T.Errorf("%s: mending again changes something (%v)", f.Name, err)
	}
}

// golden compares data with a file of the archive, or writes it.
func (c *Case) golden(name string, data []byte) {
	i := slices.IndexFunc(c.Archive.Files, func(f txtar.File) bool { return f.Name == name })
	switch {
	case c.update && i < 0:
		c.Archive.Files = append(c.Archive.Files, txtar.File{Name: name, Data: data})
	case c.update:
		c.Archive.Files[i].Data = data
	case i < 0:
		c.T.Errorf("no %s (go test -update)", name)
	case !bytes.Equal(c.Archive.Files[i].Data, data):
		c.T.Errorf("%s (go test -update):\n%s\nwant:\n%s", name, data, c.Archive.Files[i].Data)
	}
}

// Of returns the findings of a rule.
func Of(rule lint.Doc, findings []lint.Finding) []lint.Finding {
	return slices.DeleteFunc(slices.Clone(findings), func(f lint.Finding) bool { return f.Rule != rule.ID })
}

// Docs checks that every rule says what it is about, does something, and has a
// name of its own.
func Docs[P any](t *testing.T, rules []lint.Rule[P]) {
	t.Helper()
	names := map[string]bool{}
	for _, rule := range rules {
		d := rule.Doc
		if d.Title == "" || d.Why == "" || d.Before == "" || d.After == "" || !d.Severity.Valid() || d.Severity == lint.Off {
			t.Errorf("rule %s lacks documentation", d.ID)
		}
		if rule.Check == nil {
			t.Errorf("rule %s checks nothing", d.ID)
		}
		if names[d.ID] {
			t.Errorf("two rules are called %s", d.ID)
		}
		names[d.ID] = true
	}
}
