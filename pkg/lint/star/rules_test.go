package star

import (
	"flag"
	"os"
	"slices"
	"testing"

	"gobuild/pkg/lint"
	"gobuild/pkg/lint/linttest"
)

var update = flag.Bool("update", false, "write golden files anew")

// TestRules checks each rule with its testdata/rules/RULE.txtar, of which each
// file has testdata/prelude.star behind it.
func TestRules(t *testing.T) {
	linttest.Each(t, "testdata/rules", *update, rules.Docs(), func(c *linttest.Case) {
		c.File = testName
		c.Find = func(text []byte) []lint.Finding { return lintText(c.T, text) }
	})
}

// TestDocs checks that every rule says what it is about.
func TestDocs(t *testing.T) { linttest.Docs(t, Rules()) }

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
	lint.Ignore(r, Comments(src), lint.Names(Docs()))
	lint.Sort(r.Findings)
	return r.Findings
}
