package interop

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gobuild/pkg/lint"
	"gobuild/pkg/lint/linter"
)

// edit is a mutation: text in the place of a piece of the file.
type edit struct {
	start, end int
	text       string
}

// mutant finds the places where a kind of mistake can be made.
type mutant struct {
	kind string
	// least is the share of its mutations that must be caught, in per cent:
	// what cannot be told from a legitimate change is not.
	least int
	edits func(*target) []edit
}

// target is the file that is mutated.
type target struct {
	text []byte
	fset *token.FileSet
	file *ast.File
}

func (f *target) offset(p token.Pos) int { return f.fset.Position(p).Offset }

// replace puts text in the place of a node.
func (f *target) replace(n ast.Node, text string) edit {
	return edit{f.offset(n.Pos()), f.offset(n.End()), text}
}

// remove takes an element out of a list, with its comma.
func (f *target) remove(n ast.Node) edit {
	e := f.replace(n, "")
	for e.end < len(f.text) && f.text[e.end] != ',' && f.text[e.end] != '}' && f.text[e.end] != '\n' {
		e.end++
	}
	if e.end < len(f.text) && f.text[e.end] == ',' {
		e.end++
	}
	return e
}

// hosts returns the entries of the Hosts table.
func (f *target) hosts() []*ast.KeyValueExpr { return f.table("Hosts") }

func (f *target) table(name string) (entries []*ast.KeyValueExpr) {
	ast.Inspect(f.file, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok || len(v.Names) != 1 || v.Names[0].Name != name || len(v.Values) != 1 {
			return true
		}
		if lit, ok := v.Values[0].(*ast.CompositeLit); ok {
			for _, e := range lit.Elts {
				entries = append(entries, e.(*ast.KeyValueExpr))
			}
		}
		return false
	})
	return entries
}

// builders returns the calls of addBuilder with a literal.
func (f *target) builders() (calls []*ast.CallExpr) {
	ast.Inspect(f.file, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			if id, ok := call.Fun.(*ast.Ident); ok && id.Name == "addBuilder" && len(call.Args) == 1 {
				if lit, ok := call.Args[0].(*ast.CompositeLit); ok && isText(fieldOf(lit, "Name")) {
					calls = append(calls, call)
				}
			}
		}
		return true
	})
	return calls
}

func literal(call *ast.CallExpr) *ast.CompositeLit { return call.Args[0].(*ast.CompositeLit) }

// pairOf returns the pair NAME: VALUE of a literal, or nil.
func pairOf(lit *ast.CompositeLit, name string) *ast.KeyValueExpr {
	for _, e := range lit.Elts {
		if kv, ok := e.(*ast.KeyValueExpr); ok {
			if id, ok := kv.Key.(*ast.Ident); ok && id.Name == name {
				return kv
			}
		}
	}
	return nil
}

func fieldOf(lit *ast.CompositeLit, name string) ast.Expr {
	if kv := pairOf(lit, name); kv != nil {
		return kv.Value
	}
	return nil
}

func isText(e ast.Expr) bool {
	lit, ok := e.(*ast.BasicLit)
	return ok && lit.Kind == token.STRING
}

func textOf(e ast.Expr) string {
	if !isText(e) {
		return ""
	}
	text, _ := strconv.Unquote(e.(*ast.BasicLit).Value)
	return text
}

// envs returns the elements of all env lists of builder types and host types.
func (f *target) envs() (list []ast.Expr) {
	add := func(lit *ast.CompositeLit) {
		if env, ok := fieldOf(lit, "env").(*ast.CompositeLit); ok {
			for _, e := range env.Elts {
				if isText(e) {
					list = append(list, e)
				}
			}
		}
	}
	for _, h := range f.hosts() {
		add(h.Value.(*ast.CompositeLit))
	}
	for _, b := range f.builders() {
		add(literal(b))
	}
	return list
}

// eachEnv mutates the elements of env lists.
func eachEnv(change func(name, value string) (string, bool)) func(*target) []edit {
	return func(f *target) (edits []edit) {
		for _, e := range f.envs() {
			name, value, _ := strings.Cut(textOf(e), "=")
			if text, ok := change(name, value); ok {
				edits = append(edits, f.replace(e, strconv.Quote(text)))
			}
		}
		return edits
	}
}

// eachHost mutates a field of host types.
func eachHost(field string, change func(f *target, h *ast.KeyValueExpr, kv *ast.KeyValueExpr) (edit, bool)) func(*target) []edit {
	return func(f *target) (edits []edit) {
		for _, h := range f.hosts() {
			if e, ok := change(f, h, pairOf(h.Value.(*ast.CompositeLit), field)); ok {
				edits = append(edits, e)
			}
		}
		return edits
	}
}

// eachBuilder mutates a field of builder types.
func eachBuilder(field string, change func(f *target, call *ast.CallExpr, kv *ast.KeyValueExpr) (edit, bool)) func(*target) []edit {
	return func(f *target) (edits []edit) {
		for _, b := range f.builders() {
			if e, ok := change(f, b, pairOf(literal(b), field)); ok {
				edits = append(edits, e)
			}
		}
		return edits
	}
}

// drop removes a field that is there.
func drop(f *target, _, kv *ast.KeyValueExpr) (edit, bool) {
	if kv == nil {
		return edit{}, false
	}
	return f.remove(kv), true
}

// retype replaces a text by what change makes of it.
func retype(change func(string) string) func(f *target, _ *ast.CallExpr, kv *ast.KeyValueExpr) (edit, bool) {
	return func(f *target, _ *ast.CallExpr, kv *ast.KeyValueExpr) (edit, bool) {
		if kv == nil || !isText(kv.Value) {
			return edit{}, false
		}
		old := textOf(kv.Value)
		text := change(old)
		return f.replace(kv.Value, strconv.Quote(text)), text != old
	}
}

// slip makes a slip of the finger: two neighbours change places.
func slip(text string) string {
	for i := len(text) / 2; i+1 < len(text); i++ {
		if text[i] != text[i+1] && text[i] != '-' && text[i+1] != '-' {
			return text[:i] + text[i+1:i+2] + text[i:i+1] + text[i+2:]
		}
	}
	return text
}

// otherArch returns a name with another architecture in it.
func otherArch(name string) string {
	for _, pair := range [][2]string{{"-amd64", "-arm64"}, {"-arm64", "-amd64"}, {"-386", "-amd64"}, {"-ppc64le", "-ppc64"}, {"-mips64", "-mips"}, {"-riscv64", "-loong64"}, {"-arm", "-arm64"}} {
		if strings.Contains(name, pair[0]) {
			return strings.Replace(name, pair[0], pair[1], 1)
		}
	}
	return name
}

// insert puts a field at the beginning of a literal.
func insert(f *target, lit *ast.CompositeLit, field string) edit {
	at := f.offset(lit.Lbrace) + 1
	return edit{at, at, field + ","}
}

// mutants are the kinds of mistakes.
var mutants = []mutant{
	{"builder: slip in HostType", 100, eachBuilder("HostType", retype(slip))},
	{"builder: HostType of another architecture", 90, eachBuilder("HostType", func(f *target, _ *ast.CallExpr, kv *ast.KeyValueExpr) (edit, bool) {
		if kv == nil {
			return edit{}, false
		}
		other := "host-linux-s390x-ibm"
		return f.replace(kv.Value, strconv.Quote(other)), textOf(kv.Value) != other
	})},
	{"builder: no HostType", 100, eachBuilder("HostType", func(f *target, _ *ast.CallExpr, kv *ast.KeyValueExpr) (edit, bool) { return drop(f, nil, kv) })},
	{"builder: no Name", 100, eachBuilder("Name", func(f *target, _ *ast.CallExpr, kv *ast.KeyValueExpr) (edit, bool) { return drop(f, nil, kv) })},
	{"builder: other architecture in the name", 100, eachBuilder("Name", retype(otherArch))},
	{"builder: slip in the name's port", 100, eachBuilder("Name", retype(func(name string) string {
		part := strings.SplitN(name, "-", 3)
		if len(part) < 2 {
			return name
		}
		part[0] = slip(part[0])
		return strings.Join(part, "-")
	}))},
	{"builder: slip in -race or -longtest", 100, eachBuilder("Name", retype(func(name string) string {
		return strings.NewReplacer("-race", "-rcae", "-longtest", "-lontgest").Replace(name)
	}))},
	{"builder: twice", 100, eachBuilder("Name", func(f *target, call *ast.CallExpr, _ *ast.KeyValueExpr) (edit, bool) {
		at := f.offset(call.End())
		return edit{at, at, "\n" + string(f.text[f.offset(call.Pos()):at])}, true
	})},
	{"builder: issue 0", 100, eachBuilder("KnownIssues", func(f *target, _ *ast.CallExpr, kv *ast.KeyValueExpr) (edit, bool) {
		if kv == nil {
			return edit{}, false
		}
		return f.replace(kv.Value, "[]int{0}"), true
	})},
	{"builder: snapshot skipped with helpers", 100, eachBuilder("numTryTestHelpers", func(f *target, call *ast.CallExpr, kv *ast.KeyValueExpr) (edit, bool) {
		return insert(f, literal(call), "SkipSnapshot: true"), kv != nil && pairOf(literal(call), "SkipSnapshot") == nil
	})},
	{"builder: slip in a field's name", 100, eachBuilder("HostType", func(f *target, _ *ast.CallExpr, kv *ast.KeyValueExpr) (edit, bool) {
		return f.replace(kv.Key, "HostTpye"), true
	})},
	{"env: other architecture", 90, eachEnv(func(name, value string) (string, bool) {
		return name + "=s390x", name == "GOARCH" && value != "s390x"
	})},
	// GOARCH=amd64 on a machine of that architecture changes nothing when it goes.
	{"env: no GOARCH", 40, func(f *target) (edits []edit) {
		for _, e := range f.envs() {
			if strings.HasPrefix(textOf(e), "GOARCH=") {
				edits = append(edits, f.remove(e))
			}
		}
		return edits
	}},
	{"env: no =", 100, eachEnv(func(name, value string) (string, bool) { return name + value, true })},
	{"env: slip in the variable", 75, eachEnv(func(name, value string) (string, bool) { return slip(name) + "=" + value, slip(name) != name })},
	{"env: bad value", 100, eachEnv(func(name, value string) (string, bool) {
		bad, ok := map[string]string{"GOARM": "9", "GO386": "sse3", "GOAMD64": "v9", "CGO_ENABLED": "no", "GO_TEST_TIMEOUT_SCALE": "five", "GOMAXPROCS": "-", "GOARCH": "amd46", "GOHOSTARCH": "i368", "GOOS": "linus"}[name]
		return name + "=" + bad, ok
	})},
	{"env: twice", 100, func(f *target) (edits []edit) {
		for _, e := range f.envs() {
			at := f.offset(e.End())
			edits = append(edits, edit{at, at, ", " + e.(*ast.BasicLit).Value})
		}
		return edits
	}},
	{"host: slip in the key", 90, eachHost("Notes", func(f *target, h, _ *ast.KeyValueExpr) (edit, bool) {
		return f.replace(h.Key, strconv.Quote(slip(textOf(h.Key)))), slip(textOf(h.Key)) != textOf(h.Key)
	})},
	{"host: twice", 100, eachHost("Notes", func(f *target, h, _ *ast.KeyValueExpr) (edit, bool) {
		at := f.offset(h.End())
		return edit{at, at, ",\n" + string(f.text[f.offset(h.Pos()):at])}, true
	})},
	{"host: out of order", 100, func(f *target) (edits []edit) {
		hosts := f.hosts()
		for i := range hosts[:len(hosts)-1] {
			a, b := hosts[i], hosts[i+1]
			text := func(n ast.Node) string { return string(f.text[f.offset(n.Pos()):f.offset(n.End())]) }
			between := string(f.text[f.offset(a.End()):f.offset(b.Pos())])
			edits = append(edits, edit{f.offset(a.Pos()), f.offset(b.End()), text(b) + between + text(a)})
		}
		return edits
	}},
	{"host: not reverse", 100, eachHost("IsReverse", func(f *target, _, kv *ast.KeyValueExpr) (edit, bool) { return drop(f, nil, kv) })},
	{"host: reverse and an image", 100, eachHost("IsReverse", func(f *target, h, kv *ast.KeyValueExpr) (edit, bool) {
		return insert(f, h.Value.(*ast.CompositeLit), `VMImage: "image"`), kv != nil
	})},
	{"host: no image", 100, eachHost("VMImage", func(f *target, _, kv *ast.KeyValueExpr) (edit, bool) { return drop(f, nil, kv) })},
	{"host: no owner", 90, eachHost("Owners", func(f *target, _, kv *ast.KeyValueExpr) (edit, bool) { return drop(f, nil, kv) })},
	{"host: slip in an owner", 100, func(f *target) (edits []edit) {
		ast.Inspect(f.file, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				if id, ok := call.Fun.(*ast.Ident); ok && id.Name == "gh" && len(call.Args) == 1 && isText(call.Args[0]) {
					edits = append(edits, f.replace(call.Args[0], strconv.Quote(textOf(call.Args[0])+"x")))
				}
			}
			return true
		})
		return edits
	}},
	{"host: no ExpectNum", 100, eachHost("ExpectNum", func(f *target, h, kv *ast.KeyValueExpr) (edit, bool) {
		return drop(f, nil, kv)
	})},
	{"host: other HostType than the key", 100, eachHost("Notes", func(f *target, h, _ *ast.KeyValueExpr) (edit, bool) {
		return insert(f, h.Value.(*ast.CompositeLit), `HostType: "host-other-amd64"`), true
	})},
	{"host: HostArch that is no port", 100, eachHost("Notes", func(f *target, h, _ *ast.KeyValueExpr) (edit, bool) {
		lit := h.Value.(*ast.CompositeLit)
		return insert(f, lit, `HostArch: "linux-amd46"`), pairOf(lit, "HostArch") == nil
	})},
	{"host: GoogleReverse without reverse", 100, eachHost("VMImage", func(f *target, h, kv *ast.KeyValueExpr) (edit, bool) {
		return insert(f, h.Value.(*ast.CompositeLit), "GoogleReverse: true"), kv != nil
	})},
	{"alias: slip in the builder type", 100, func(f *target) (edits []edit) {
		for _, e := range f.table("slowBotAliases") {
			if text := textOf(e.Value); text != "" && slip(text) != text {
				edits = append(edits, f.replace(e.Value, strconv.Quote(slip(text))))
			}
		}
		return edits
	}},
	{"alias: twice", 100, func(f *target) (edits []edit) {
		for _, e := range f.table("slowBotAliases") {
			at := f.offset(e.End())
			edits = append(edits, edit{at, at, ",\n" + string(f.text[f.offset(e.Pos()):at])})
		}
		return edits
	}},
	{"syntax: no closing brace", 100, eachHost("Notes", func(f *target, h, _ *ast.KeyValueExpr) (edit, bool) {
		at := f.offset(h.Value.(*ast.CompositeLit).Rbrace)
		return edit{at, at + 1, ""}, true
	})},
	{"syntax: no comma", 100, eachBuilder("Name", func(f *target, _ *ast.CallExpr, kv *ast.KeyValueExpr) (edit, bool) {
		at := f.offset(kv.End())
		return edit{at, at + 1, ""}, f.text[at] == ','
	})},
}

// perKind is how many mutations of each kind are tried.
const perKind = 8

// TestMutations makes single mistakes in the real builders.go and counts how
// many of them lint sees: it must find what it does not find without.
func TestMutations(t *testing.T) {
	dir := copyModule(t, moduleDir(t, upstreamBuild))
	name := filepath.Join(dir, "dashboard", "builders.go")
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	f := &target{text: text, fset: token.NewFileSet()}
	if f.file, err = parser.ParseFile(f.fset, name, text, parser.ParseComments); err != nil {
		t.Fatal(err)
	}
	before := map[string]int{}
	for _, finding := range lintFile(t, name) {
		before[kindOf(finding)]++
	}
	rng := rand.New(rand.NewPCG(2014, 800))
	made, caught := 0, 0
	for _, m := range mutants {
		edits := m.edits(f)
		if len(edits) == 0 {
			t.Errorf("%s: nowhere to be made", m.kind)
			continue
		}
		rng.Shuffle(len(edits), func(i, j int) { edits[i], edits[j] = edits[j], edits[i] })
		edits = edits[:min(perKind, len(edits))]
		seen := 0
		for _, e := range edits {
			write(t, name, string(text[:e.start])+e.text+string(text[e.end:]))
			if new := added(before, lintFile(t, name)); len(new) > 0 {
				seen++
			} else {
				line := strings.Count(string(text[:e.start]), "\n") + 1
				t.Logf("missed: %s, line %d, %q", m.kind, line, e.text)
			}
		}
		made, caught = made+len(edits), caught+seen
		t.Logf("%3d%% (%d of %d)  %s", 100*seen/len(edits), seen, len(edits), m.kind)
		if 100*seen < m.least*len(edits) {
			t.Errorf("%s: %d of %d caught, at least %d%% are wanted", m.kind, seen, len(edits), m.least)
		}
	}
	t.Logf("%d%% (%d of %d mutations of %d kinds)", 100*caught/made, caught, made, len(mutants))
	if made < 200 || len(mutants) < 20 {
		t.Errorf("%d mutations of %d kinds are too few", made, len(mutants))
	}
}

func lintFile(t testing.TB, name string) []lint.Finding {
	t.Helper()
	l, err := linter.New(linter.Options{})
	if err != nil {
		t.Fatal(err)
	}
	findings, err := l.Lint(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return findings
}

// kindOf names a finding without its place, which a mutation may move.
func kindOf(f lint.Finding) string { return fmt.Sprintf("%s %s", f.Rule, f.Message) }

// added returns the findings that were not there before.
func added(before map[string]int, findings []lint.Finding) (list []string) {
	now := map[string]int{}
	for _, f := range findings {
		now[kindOf(f)]++
	}
	for kind, n := range now {
		if n > before[kind] {
			list = append(list, kind)
		}
	}
	slices.Sort(list)
	return list
}
