package linter

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the page about the rules anew")

// TestRulesPage checks that the page about the rules is what they say, and that
// a rule's URL leads to its section.
func TestRulesPage(t *testing.T) {
	file := filepath.Join("..", "RULES.md")
	page := Markdown()
	if *update {
		if err := os.WriteFile(file, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil || string(text) != page {
		t.Errorf("%s is out of date (run make docs) (%v)", file, err)
	}
	for _, d := range Docs() {
		path, section, _ := strings.Cut(d.URL(), "#")
		there, err := os.ReadFile(filepath.Join("..", "..", "..", filepath.FromSlash(path)))
		if err != nil || !strings.Contains(string(there), "\n## "+section+"\n") {
			t.Errorf("%s leads nowhere (%v)", d.URL(), err)
		}
	}
}

func TestEscape(t *testing.T) {
	for text, want := range map[string]string{
		"plain":                             "plain",
		"misc-compile-* and *-race":         `misc-compile-\* and \*-race`,
		"GOOS-GOARCH[_suffix]":              `GOOS-GOARCH\[\_suffix\]`,
		"-_/@ and GO_TEST_SHORT":            `-\_/@ and GO_TEST_SHORT`,
		"a | b":                             `a \| b`,
		"`go tool *` and <b>":               "`go tool *` and \\<b\\>",
		`a backslash \, and then ` + "`\\`": `a backslash \\, and then ` + "`\\`",
	} {
		if got := escape(text); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}
