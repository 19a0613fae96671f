package linter

import (
	"fmt"
	"regexp"
	"strings"

	"gobuild/pkg/lint"
)

// Markdown returns the page about the rules, pkg/lint/RULES.md: what a finding's
// URL leads to.
func Markdown() string {
	var b strings.Builder
	b.WriteString(pageIntroduction)
	b.WriteString("| Rule | Severity | `--fix` | What is wrong |\n| --- | --- | --- | --- |\n")
	docs := Docs()
	for _, d := range docs {
		fix := ""
		if d.Fix {
			fix = "yes"
		}
		fmt.Fprintf(&b, "| [%s](#%[1]s) | %s | %s | %s |\n", d.ID, d.Severity, fix, escape(d.Title))
	}
	for _, d := range docs {
		language := "go"
		if strings.HasPrefix(d.ID, "star-") {
			language = "python" // near enough to Starlark for those who colour it
		}
		fmt.Fprintf(&b, "\n## %s\n\n%s: %s.\n\n%s\n", d.ID, severityWord[d.Severity], escape(d.Title), escape(d.Why))
		for _, example := range []struct{ when, text string }{{"Before", d.Before}, {"After", d.After}} {
			fmt.Fprintf(&b, "\n%s:\n\n```%s\n%s\n```\n", example.when, language, strings.TrimRight(example.text, "\n"))
		}
		if d.Fix {
			b.WriteString("\n`--fix` can mend it.\n")
		}
		if d.Section != "" {
			fmt.Fprintf(&b, "\nFrom: %s.\n", escape(d.Section))
		}
	}
	return b.String()
}

var severityWord = map[lint.Severity]string{lint.Error: "Error", lint.Warning: "Warning", lint.Info: "Info"}

const pageIntroduction = "# Rules of gobuild lint\n" + `
<!-- Written from the rules by make docs: change it there. -->

` + "`gobuild lint`" + ` reads a builders.go or LUCI's main.star without compiling or running it and says what is wrong in it:

` + "```sh" + `
gobuild lint dashboard/builders.go main.star
gobuild lint --against origin/master dashboard/builders.go  # what a change means for machines that are out there
gobuild lint --fix builders.go                              # mend what can be mended safely
gobuild lint --explain builder-arch                         # what is on this page, in the terminal
` + "```" + `

What cannot be known from the text, such as the environment, is left open and never reported. The exit code is 0 if nothing is found, 1 if something is, and 2 if a file cannot be read.

Severities:

- error: the farm does not start, or does not do what is written;
- warning: most likely a mistake;
- info: worth a look.

A comment takes findings of a rule, or of several with commas between them, back; it owes a reason. It is for what begins on its own line, or on the next if it stands alone:

` + "```go" + `
//gobuild:ignore host-unused waits for the boards, see go.dev/issue/12345
` + "```" + `

In a main.star it begins with # instead of //.

Other severities, and off for rules that are not wanted, stand in ` + "`" + lint.ConfigFile + "`" + ` beside the file or above it:

` + "```yaml" + `
rules:
  hosts-unsorted: info
  port-uncovered: off
` + "```" + `

The examples are pieces of a file: entries of Hosts and of slowBotAliases, calls of addBuilder, fields. Those of rules that begin with against- show a file before a change (old) and after it (new); those of rules that begin with star- are of a main.star.

`

// escape returns plain text, in which only backquotes have a meaning, as
// Markdown.
func escape(text string) string {
	marks := strings.NewReplacer(`\`, `\\`, "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "<", `\<`, ">", `\>`, "|", `\|`)
	within := regexp.MustCompile(`([0-9A-Za-z])\\_`) // a word, where _ is nothing but itself
	parts := strings.Split(text, "`")
	for i := range parts {
		if i%2 == 0 {
			parts[i] = within.ReplaceAllString(marks.Replace(parts[i]), "${1}_")
		}
	}
	return strings.Join(parts, "`")
}
