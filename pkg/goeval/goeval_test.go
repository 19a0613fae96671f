package goeval

import (
	"go/scanner"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestAsTheProgram evaluates programs, and runs them: what the evaluator knows
// of a program's Out has to be what the program prints.
func TestAsTheProgram(t *testing.T) {
	files, err := filepath.Glob("testdata/programs/*/main.go")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	for _, file := range files {
		t.Run(filepath.Base(filepath.Dir(file)), func(t *testing.T) {
			out, err := exec.CommandContext(t.Context(), "go", "run", file).CombinedOutput()
			if err != nil {
				t.Fatalf("go run: %v\n%s", err, out)
			}
			want := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
			p, _ := load(t, file, nil)
			got := lines(t, p)
			for i, line := range want {
				if i >= len(got) || got[i] != line {
					t.Fatalf("line %d: the program prints %q, evaluated it is %q", i+1, line, append(got, make([]string, len(want))...)[i])
				}
			}
			if len(got) != len(want) {
				t.Errorf("%d lines, the program prints %d", len(got), len(want))
			}
		})
	}
}

// TestNeverWrong evaluates programs of which not everything can be known, and
// runs them, with MAYBE set and without: a string in Out that is known is what
// the program prints in either case.
func TestNeverWrong(t *testing.T) {
	files, err := filepath.Glob("testdata/vague/*/main.go")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	for _, file := range files {
		name := filepath.Base(filepath.Dir(file))
		t.Run(name, func(t *testing.T) {
			bin := filepath.Join(t.TempDir(), name)
			build := exec.CommandContext(t.Context(), "go", "build", "-o", bin, ".")
			build.Dir = filepath.Dir(file)
			if out, err := build.CombinedOutput(); err != nil {
				t.Fatalf("go build: %v\n%s", err, out)
			}
			p, _ := load(t, file, nil)
			got := lines(t, p)
			known := 0
			for _, maybe := range []string{"", "yes"} {
				cmd := exec.CommandContext(t.Context(), bin)
				cmd.Env = []string{"MAYBE=" + maybe}
				out, err := cmd.CombinedOutput()
				if err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
				want := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
				if slices.Contains(got, "...") || len(got) == 1 && got[0] == "?" {
					continue
				}
				for i, line := range want {
					switch {
					case i >= len(got):
						t.Errorf("line %d is missing: %q", i+1, line)
					case got[i] == "?":
					case got[i] != line:
						t.Errorf("MAYBE=%q, line %d: the program prints %q, evaluated it is %q", maybe, i+1, line, got[i])
					default:
						known++
					}
				}
			}
			t.Logf("%d known of %d", known/2, len(got))
			if testing.Verbose() {
				t.Logf("%q", got)
			}
		})
	}
}

// load evaluates a file, or a text.
func load(t testing.TB, name string, src []byte) (*Program, scanner.ErrorList) {
	t.Helper()
	p, problems, err := Load(name, src, Options{})
	if err != nil {
		t.Fatal(err)
	}
	p.Run()
	return p, problems
}

// lines returns the strings in the variable Out; ? stands for one that is not
// known, ... behind them for others that may follow.
func lines(t testing.TB, p *Program) []string {
	t.Helper()
	if p.Stopped != "" {
		t.Errorf("stopped: %s", p.Stopped)
	}
	return show(p.Var("Out").Get())
}

func show(v Value) []string {
	s, ok := v.(*Slice)
	if !ok {
		if _, isNil := v.(Nil); isNil {
			return nil
		}
		return []string{"?"}
	}
	var out []string
	for _, c := range s.Elems {
		text, ok := String(c.Get())
		if !ok {
			text = "?"
		}
		out = append(out, text)
	}
	if s.Open != nil {
		out = append(out, "...")
	}
	return out
}

// What hangs on something unknown is unknown, and nothing else is. Each text is
// the body of an init function; maybe() is a bool that is not known.
func TestUnknown(t *testing.T) {
	const frame = `package p
import ("os"; "strings"; "example.org/elsewhere")
var Out []string
var M = map[string]string{"kept": "v"}
var N = 1
func maybe() bool { return os.Getenv("HOME") != "" }
func pick(n int) string { if maybe() { return "known" }; return "known" }
func early(list []string) string { for _, s := range list { if s == os.Getenv("X") { return s } }; return "none" }
type T struct{ A, B string }
func (t *T) set(s string) { t.A = s }
func out(list ...string) { Out = append(Out, list...) }
func n() string { return strings.Repeat("i", N) }
func init() {
`
	for _, tt := range []struct{ name, body, want string }{
		{"both ways the same", `x := "a"; if maybe() { x = "b" } else { x = "b" }; out(x)`, "b"},
		{"one way only", `x := "a"; if maybe() { x = "b" }; out(x, "c")`, "? c"},
		{"what is not touched", `x, y := "a", "y"; if maybe() { x = "b"; y = "y" }; out(x, y)`, "? y"},
		{"return", `if maybe() { return }; out("x")`, "?"},
		{"return in the other way", `x := "a"; if maybe() { x = "b"; N = 2; return }; N = 2; out(n()); x = x + "c"; _ = x`, "?"},
		{"panic is no way", `x := "a"; if maybe() { x = "b"; panic("no") }; out(x)`, "a"},
		{"result", `out(pick(1))`, "known"},
		{"early result", `out(early([]string{"a"}))`, "?"},
		{"and, or", `if maybe() && false { out("x") }; if maybe() || true { out("y") }`, "y"},
		{"condition with an effect", `if false && maybe() { N = 2 }; out(n())`, "i"},
		{"loop without a bound", `x := "a"; for maybe() { x = "b" }; out(x, "end")`, "? end"},
		{"loop left", `x := "a"; for i := range 3 { if maybe() { break }; if i == 2 { x = "b" } }; out(x)`, "?"},
		{"loop continued", `x := "a"; for range 3 { if maybe() { continue }; x = "b" }; out(x)`, "?"},
		{"range over the unknown", `x := "a"; for _, s := range elsewhere.List { x = s }; out(x)`, "?"},
		{"entry", `if maybe() { M["new"] = "n" }; for k := range M { out(k) }`, "?"},
		{"entry that stays", `if maybe() { M["new"] = "n" }; out(M["kept"])`, "v"},
		{"entry that may be there", `if maybe() { M["new"] = "n" }; out(M["new"]); _, ok := M["new"]; if ok { out("there") }`, "?"},
		{"unknown key", `M[os.Getenv("K")] = "x"; out(M["kept"])`, "?"},
		{"given away", `t := T{A: "a"}; elsewhere.Change(&t); out(t.A)`, "?"},
		{"given away by value", `t := T{A: "a"}; elsewhere.Look(t); out(t.A)`, "a"},
		{"closure given away", `x := "a"; elsewhere.Do(func() { x = "b" }); out(x)`, "?"},
		{"switch", `x := "a"; switch os.Getenv("S") { case "1": x = "b"; case "2": x = "b"; default: x = "b" }; out(x)`, "b"},
		{"switch without a match", `x := "a"; switch os.Getenv("S") { case "1": x = "b" }; out(x)`, "?"},
		{"method on a known struct", `t := &T{}; t.set("s"); out(t.A, t.B)`, "s "},
		{"unknown index", `l := []string{"a", "b"}; l[len(os.Args)] = "c"; out(l[0])`, "?"},
		{"concatenation", `out("a" + os.Getenv("B"), "c")`, "? c"},
		{"overflow", `x := 1 << 62; x = x * 4; if x == 0 { out("zero") } else { out("not") }`, "?"},
		{"deferred", `x := "a"; defer func() { x = "b" }(); out("c")`, "c"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, problems := load(t, "p.go", []byte(frame+tt.body+"\n}\n"))
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			if got := strings.Join(lines(t, p), " "); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if len(p.Panics) > 0 {
				t.Errorf("panics: %q", p.Panics[0].Message)
			}
		})
	}
}

// Panics are told with their message and the way there; what follows is
// evaluated all the same.
func TestPanics(t *testing.T) {
	p, _ := load(t, "p.go", []byte(`package p
import "fmt"
var Out []string
var people = map[string]string{"joe": "Joe"}
func must(name string) string {
	if people[name] == "" { panic("nobody is " + name) }
	return people[name]
}
var M = map[string]string{"a": must("joe"), "b": must("jane"), "c": must("joe")}
func add(n int) { if n == 2 { panic(fmt.Errorf("no %d", n)) }; Out = append(Out, fmt.Sprint(n)) }
func init() {
	add(1)
	add(2)
	for i := range 4 { add(i) }
	var list []int
	_ = list[3]
	Out = append(Out, M["c"])
}
`))
	if got := strings.Join(lines(t, p), " "); got != "1 0 1 3 Joe" {
		t.Errorf("Out: %s", got)
	}
	var got []string
	for _, panicked := range p.Panics {
		line := 0
		if len(panicked.Calls) > 0 {
			line = p.Fset.Position(panicked.Calls[0].Pos()).Line
		}
		got = append(got, panicked.Message, string(rune('0'+line%10)))
	}
	if want := "nobody is jane 9 no 2 3 no 2 4 index out of range 0"; strings.Join(got, " ") != want {
		t.Errorf("panics: %s, want %s", strings.Join(got, " "), want)
	}
}

// An int has 64 bits, as on the farm's machines, also where this program's has
// 32.
func TestWideInt(t *testing.T) {
	inner := &Type{kind: kindArray, length: maxArray, elem: intType}
	if n := (&Type{kind: kindArray, length: maxArray, elem: inner}).size(0); n <= maxArray {
		t.Fatalf("an array of arrays has size %d", n) // and would be made
	}
	p, _ := load(t, "p.go", []byte(`package p
import ("fmt"; "strconv"; "strings")
var Out []string
func init() {
	n, err := strconv.Atoi("4294967297")
	_, err2 := strconv.Atoi("9223372036854775808")
	Out = append(Out, fmt.Sprint(n, err), fmt.Sprint(err2), strconv.Itoa(n), strings.Replace("aa", "a", "b", n - 1))
	_ = "text"[n:]
	_ = Out[:n]
}
func init() {
	var a [65536][65536]int
	Out = append(Out, fmt.Sprint(a[0][0]))
}
`))
	want := []string{"4294967297 <nil>", `strconv.Atoi: parsing "9223372036854775808": value out of range`, "4294967297", "bb", "?"}
	if got := lines(t, p); !slices.Equal(got, want) {
		t.Errorf("Out: %q, want %q", got, want)
	}
	if len(p.Panics) != 2 {
		t.Errorf("%d panics, want one of each slice out of bounds", len(p.Panics))
	}
}

// Whatever the source is, an evaluation ends, and says why if it was given up.
func TestBounds(t *testing.T) {
	for _, tt := range []struct{ name, body, want string }{
		{"endless loop", `func init() { for { N++ } }; var N int`, "does not end within"},
		{"endless recursion", `func f() { f() }; func init() { f() }`, "calls nest too deep"},
		{"deep expression", `var X = ` + strings.Repeat("(", 20000) + "1" + strings.Repeat(")", 20000), "nests deeper"},
		{"growing string", `var S = "x"; func init() { for { S += S } }`, "grows beyond reason"},
		{"growing slice", `var S = []int{1}; func init() { for { S = append(S, S...) } }`, "grows beyond reason"},
		{"goto", `func init() { goto end; end: }`, "goto"},
		{"channel", `var c chan int; func init() { c <- 1 }`, "channel"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, _, err := Load("p.go", []byte("package p\n"+tt.body+"\n"), Options{MaxSteps: 300000})
			if err != nil {
				t.Fatal(err)
			}
			p.Run()
			if !strings.Contains(p.Stopped, tt.want) {
				t.Errorf("stopped: %q, want %q", p.Stopped, tt.want)
			}
		})
	}
}

// Conditions that are not known, however many there are and however they nest,
// do not take long.
func TestCost(t *testing.T) {
	repeat := func(n int, open, inner, end string) string {
		return strings.Repeat(open, n) + inner + strings.Repeat(end, n)
	}
	const maybe = `os.Getenv("X") != ""`
	for _, tt := range []struct{ name, body string }{
		{"conditions within conditions", repeat(100, "if "+maybe+" { n++\n", "n = 2", "} else { m++ }\n")},
		{"conditions after conditions", repeat(300, "if "+maybe+" { n++; return }\n", "n = 2", "")},
		{"loops within loops", repeat(30, "for "+maybe+" { n++\n", "m++", "}\n")},
		{"ranges within ranges", repeat(30, "for range elsewhere.List { n++\n", "m++", "}\n")},
		{"loops with many ways out", repeat(20, "for range 5 { if "+maybe+" { break }; n++\n", "m++", "}\n")},
		{"switches", repeat(30, "switch os.Getenv(\"X\") { case \"a\": n++; case \"b\": m++; return; default:\n", "n = 2", "}\n")},
		{"ranges over maps", repeat(20, "for range table { n++\n", "m++", "}\n")},
		{"calls of calls", "x := elsewhere.A" + strings.Repeat("(n).B", 60) + "(m); _ = x"},
		{"recursion", "rec(100)"},
		{"closures", repeat(25, "elsewhere.Do(func() { n++\n", "m++", "})\n")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			const most = 2_000_000
			p, problems, err := Load("p.go", []byte("package p\nimport (\"os\"; \"example.org/elsewhere\")\nvar n, m int\nvar table = map[string]int{\"a\": 1, \"b\": 2}\nfunc rec(n int) { if "+maybe+" { rec(n-1); rec(n-1) } }\nfunc init() {\n"+tt.body+"\n}\n"), Options{MaxSteps: most})
			if err != nil || len(problems) > 0 {
				t.Fatal(problems, err)
			}
			p.Run()
			if p.steps > most+1 {
				t.Errorf("it takes %d steps", p.steps)
			}
			t.Logf("%d steps %s", p.steps, p.Stopped)
		})
	}
}

// A variable that depends on itself is unknown, not an endless recursion.
func TestCircle(t *testing.T) {
	p, _ := load(t, "p.go", []byte("package p\nvar a = b\nvar b = a\nvar Out = []string{a, \"x\"}\n"))
	if got := strings.Join(lines(t, p), " "); got != "? x" {
		t.Errorf("Out: %s", got)
	}
}

func FuzzRun(f *testing.F) {
	f.Add("var Out = []string{}\nfunc init() { for i := range 3 { Out = append(Out, fmt.Sprint(i)) } }")
	f.Add("type T struct{ A []T; m map[string]*T }\nvar x = T{A: []T{{}, {m: map[string]*T{\"a\": {}}}}}\nfunc (t *T) f() int { return len(t.A) }\nvar n = x.f()")
	f.Add("func init() { x := os.Args; switch len(x) { case 1: return; case 2: panic(x[0]) }; defer f() }\nfunc f() (a, b int) { return }")
	f.Add("var a, b = f()\nfunc f() (int, error) { return 1, nil }\nvar c = [...]int{5: 1}\nvar d = c[a:]\nvar e = &d[0]")
	f.Add("func g[T any](x ...T) T { var t T; for _, v := range x { t = v }; return t }\nvar y = g(1, 2)\nconst ( k = iota; l )\nvar z = map[int]string{k: \"a\", l: \"b\"}[1]")
	f.Add("var s = strings.Map(func(r rune) rune { return r + 1 }, \"abc\")[1:2] + string(rune(65))\nvar q = -1 / 0\nvar w = 1 << 600 >> 600")
	f.Add("var a = make([]int, 1, 5)\nvar b, c = append(a, 1), append(a, 2)\nvar d = append(b[:1], 3)\nfunc init() { b[0], a = 2, a[:0]; a = append(a, d...); p := &a[0]; *p = 1 }")
	f.Add("type L []string\nfunc (l *L) add(s string) { *l = append(*l, s) }\nvar l L\nfunc init() { l.add(os.Args[0]); f := l.add; f(\"x\"); p := &l; if len(l) > len(os.Args) { p = nil }; (*p)[0] = \"y\" }")
	f.Add("func f() (s string) { defer func() { if recover() != nil { s = \"r\" } }(); if len(os.Args) > 1 { panic(s) }; for { return s } }\nvar x = f()\nfunc g(n int) { defer g(n - 1); go g(n) }")
	f.Add("var m = map[string]*int{\"a\": new(int), \"b\": nil}\nfunc f() string { for k, v := range m { if v != nil { *v++; return k }; delete(m, k); m[k+k] = v }; return \"\" }\nvar x = f()")
	f.Add("type A struct{ B; *C }\ntype B struct{ C }\ntype C struct{ x int; a *A }\nfunc (c *C) set() { c.x++; c.a.set() }\nvar a A\nfunc init() { a.set(); a.B.C = C{x: 1}; a.C = &a.B.C; a.a = &a; os.Exit(a.x); a.C.a.B.x = 3 }")
	f.Add("func init() { for i := 0; i < len(os.Args); i++ { defer func() { i++ }(); switch x := any(i).(type) { case int: fallthrough; case string: _ = x; continue; default: break } } }")
	f.Fuzz(func(t *testing.T, body string) {
		defer func(start time.Time) {
			if took := time.Since(start); took > time.Minute {
				t.Errorf("it takes %v", took)
			}
		}(time.Now())
		p, _, err := Load("p.go", []byte("package p\nimport (\"fmt\"; \"os\"; \"strings\")\n"+body), Options{MaxSteps: 20000})
		if err != nil {
			return
		}
		p.Run()
		for name := range p.main.decls {
			if c := p.Var(name); c != nil {
				c.Get()
			}
			if fn := p.Func(name); fn != nil {
				p.Call(fn, 1000, Text{S: "x"}, Text{S: "y"})
			}
		}
	})
}
