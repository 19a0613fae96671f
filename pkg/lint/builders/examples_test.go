package builders

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"gobuild/pkg/lint"
	"gobuild/pkg/lint/linttest"
)

// onlyBefore are the rules of which the example without the mistake is not
// checked, and why.
var onlyBefore = map[string]string{
	"port-uncovered": "every port of Go would have to be in it",
}

// TestExamples checks the examples in the documentation of the rules: what is
// before gives a finding of the rule, and what is after gives none of it. What
// a rule wants of the module around the file is in testdata/examples.
func TestExamples(t *testing.T) {
	for _, doc := range append(rules.Docs(), lint.BadIgnore, lint.UnusedIgnore) {
		t.Run(doc.ID, func(t *testing.T) {
			checkExamples(t, doc, func(c *ruleCase, example string) []lint.Finding {
				return c.lint(exampleFile(example, doc.After))
			})
		})
	}
}

// TestChangeExamples does the same with the rules about changes. Their examples
// have an old version and a new one.
func TestChangeExamples(t *testing.T) {
	for _, rule := range ChangeRules() {
		t.Run(rule.ID, func(t *testing.T) {
			checkExamples(t, rule.Doc, func(c *ruleCase, example string) []lint.Finding {
				old, new, ok := strings.Cut(strings.TrimPrefix(example, "// old:\n"), "\n// new:\n")
				if !ok {
					t.Fatalf("not an old and a new version:\n%s", example)
				}
				hosts := rule.Before + rule.After // are there in both
				return c.findChange(exampleFile(old, hosts), exampleFile(new, hosts))
			})
		})
	}
}

// checkExamples checks the examples of a rule; find lints one of them.
func checkExamples(t *testing.T, doc lint.Doc, find func(c *ruleCase, example string) []lint.Finding) {
	policies, err := os.ReadFile("testdata/policies.go")
	if err != nil {
		t.Fatal(err)
	}
	frame, err := txtar.ParseFile(filepath.Join("testdata", "examples", doc.ID+".txtar"))
	if errors.Is(err, os.ErrNotExist) {
		frame = &txtar.Archive{}
	} else if err != nil {
		t.Fatal(err)
	}
	c := newCase(t, doc, frame)
	c.archive.Files = append(c.archive.Files, txtar.File{Name: "frame/dashboard/policies.go", Data: policies})
	if findings := linttest.Of(doc, find(c, doc.Before)); len(findings) == 0 {
		t.Errorf("before: the rule finds nothing in\n%s", doc.Before)
	}
	if findings := linttest.Of(doc, find(c, doc.After)); len(findings) > 0 && onlyBefore[doc.ID] == "" {
		t.Errorf("after: %v in\n%s", findings, doc.After)
	}
}

// Where the pieces of an example belong: in the literals that they are entries
// or fields of, else in an init function.
var (
	exampleAlias   = regexp.MustCompile(`^".*":\s*"`)
	exampleHost    = regexp.MustCompile(`^".*":\s*\{`)
	exampleField   = regexp.MustCompile(`^(env|buildsRepo): `)
	exampleOfHost  = regexp.MustCompile(`^(HostArch|Owners|SSHUsername): `)
	exampleDecl    = regexp.MustCompile(`^(func|var|const) `)
	exampleComment = regexp.MustCompile(`(?m)^//.*(\n|\z)`)
)

// Names in an example.
var (
	aliasNames   = regexp.MustCompile(`(?m)^"([^"]+)":\s*"`)
	aliasTargets = regexp.MustCompile(`(?m)^".*":\s*"([^"]+)"`)
	builderNames = regexp.MustCompile(`\bName: "([^"]+)"`)
	hostNames    = regexp.MustCompile(`(?m)^"([^"]+)":\s*\{`)
	usedHosts    = regexp.MustCompile(`\bHostType: "([^"]+)"`)
)

// exampleFile makes a builders.go of an example. Host types and builder types
// that model, the example without the mistake, only names are in it as well.
func exampleFile(example, model string) []byte {
	if strings.HasPrefix(example, "package ") {
		return []byte(example)
	}
	var hosts, aliases, calls, decls []string
	for _, piece := range pieces(example) {
		switch code := exampleComment.ReplaceAllString(piece, ""); {
		case exampleAlias.MatchString(code):
			aliases = append(aliases, piece)
		case exampleHost.MatchString(code), code == "":
			hosts = append(hosts, piece)
		case exampleField.MatchString(code):
			calls = append(calls, "addBuilder(BuildConfig{Name: \"linux-amd64\", HostType: \"host-linux-amd64\",\n"+strings.TrimSuffix(piece, ",")+",\n})")
			model += "\nHostType: \"host-linux-amd64\""
		case exampleOfHost.MatchString(code):
			hosts = append(hosts, "\"host-linux-amd64-new\": {VMImage: \"image\",\n"+piece+"\n},")
		case exampleDecl.MatchString(code):
			decls = append(decls, piece)
		default:
			calls = append(calls, piece)
		}
	}
	for _, name := range minus(named(aliasTargets, model), append(named(builderNames, example), named(aliasNames, model)...)) {
		host := "host-" + strings.Join(parts(name)[:2], "-")
		calls = append(calls, fmt.Sprintf("addBuilder(BuildConfig{Name: %q, HostType: %q})", name, host))
		model += fmt.Sprintf("\nHostType: %q", host)
	}
	for _, name := range minus(named(usedHosts, model), named(hostNames, example)) {
		hosts = append(hosts, fmt.Sprintf("%q: {VMImage: %q},", name, "image"))
	}
	if len(hosts) == 0 {
		hosts = append(hosts, `"host-linux-amd64": {VMImage: "image"},`)
	}
	var b strings.Builder
	b.WriteString("package dashboard\n")
	if strings.Contains(example, "os.Getenv") {
		b.WriteString("\nimport \"os\"\n")
	}
	if len(aliases) > 0 {
		fmt.Fprintf(&b, "\nvar slowBotAliases = map[string]string{\n%s\n}\n", strings.Join(aliases, "\n"))
	}
	fmt.Fprintf(&b, "\nvar Hosts = map[string]*HostConfig{\n%s\n}\n", strings.Join(hosts, "\n"))
	fmt.Fprintf(&b, "\n%s\nfunc init() {\n%s\n}\n", strings.Join(decls, "\n"), strings.Join(calls, "\n"))
	// In the tests' frame all types are in one package.
	return []byte(strings.NewReplacer("gophers.", "", "types.", "").Replace(b.String()))
}

// named returns the names that a regular expression finds.
func named(re *regexp.Regexp, text string) (names []string) {
	for _, m := range re.FindAllStringSubmatch(text, -1) {
		names = append(names, m[1])
	}
	return names
}

// minus returns the names that are not among others, each once.
func minus(names, others []string) []string {
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(name string) bool { return slices.Contains(others, name) })
}

// pieces splits an example at the lines that are not indented and do not close
// something. A comment belongs to what comes after it.
func pieces(example string) (list []string) {
	join := false
	for line := range strings.Lines(example) {
		line = strings.TrimSuffix(line, "\n")
		if len(list) > 0 && (join || line == "" || strings.ContainsAny(line[:1], "\t})")) {
			list[len(list)-1] += "\n" + line
		} else {
			list = append(list, line)
		}
		join = exampleComment.MatchString(line)
	}
	return list
}
