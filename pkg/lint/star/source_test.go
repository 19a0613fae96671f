package star

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"gobuild/pkg/lint"
)

func read(t testing.TB, text string) *Source {
	t.Helper()
	src, err := Read(testName, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return src
}

// Every statement with a mistake has its error, and the others are read. The
// parser puts an error behind the token that it did not expect.
func TestSyntaxErrors(t *testing.T) {
	src := read(t, strings.Join([]string{
		`A = ["x", "y"]`,     // 1
		`B = ["x" "y"]`,      // 2: no comma
		`# a comment`,        // 3
		`C = [`,              // 4: not closed
		`    "x",`,           // 5
		`D = {"é": 1, "x" }`, // 6
		`E = """`,            // 7
		`golang = 1`,         // 8: in the string
		`"""`,                // 9
		`def f(x):`,          // 10
		`return x`,           // 11: not indented
		`F = A + ["z"]`,      // 12
	}, "\n"))
	var got []string
	for _, e := range src.Syntax {
		got = append(got, fmt.Sprintf("%d:%d", e.Pos.Line, e.Pos.Column))
	}
	if want := "2:13 6:1 6:20 11:1"; strings.Join(got, " ") != want {
		t.Errorf("errors at %v, want %s:\n%v", got, want, src.Syntax)
	}
	if elems, closed := src.list("F"); len(elems) != 3 || !closed {
		t.Errorf("F has %d elements (closed %v), want 3", len(elems), closed)
	}
	if _, closed := src.list("C"); closed {
		t.Error("C is known")
	}
	if v := src.globals["E"]; v == nil || v.text != "\ngolang = 1\n" {
		t.Errorf("E is %+v", v)
	}
}

// What is in a table that the file changes in a way that is not followed is
// never all that is in it.
func TestOpen(t *testing.T) {
	for _, tt := range []struct {
		text   string
		n      int
		closed bool
	}{
		{`T = ["a"]`, 1, true},
		{`T = ["a"] + OTHER`, 1, false},
		{"T = [\"a\"]\nT.append(\"b\")", 2, true},
		{"T = [\"a\"]\nT += [\"b\", \"c\"]", 3, true},
		{"T = [\"a\"]\nT.remove(\"a\")", 0, false},
		{"T = [\"a\"]\nT = [\"b\"]", 0, false},
		{"load(\"//x.star\", \"T\")", 0, false},
		{"T = [\"a\"]\ndef f():\n    T.append(\"b\")\nf()", 1, false},
		{"T = [\"a\"]\ndef f(l):\n    l.append(\"b\")\nf(T)", 1, false},
		{"T = [\"a\"]\ndef f():\n    T = []\n    T.append(\"b\")\nf()", 1, true},
		{"S = [\"a\"]\nT = S\nS.extend([\"b\"])", 2, true},
		{"T = [p + s for p in [\"a\", \"b\"] for s in [\"\", \"-race\"] if p != \"b\" or s]", 3, true},
		{"T = [p for p in ports() if p]", 0, false},
		{"T = [p for p in [\"a\", \"b\"] if wanted(p)]", 0, false},
		{"for x in [\"a\"]:\n    T = [x]", 0, false},
		{"def f(n):\n    for x in [1, 2]:\n        if x == n:\n            return [\"a\"]\n    return []\nT = f(2) + f(3)", 1, true},
		{"D = {k: v for k, v in {\"a\": 1}.items()}\nD[\"b\"] = 2\nT = D.keys()", 2, true},
		{"D = dict(a = 1)\nD.update({\"b\": 2})\nT = sorted(list(D))", 2, true},
		{"def f():\n    return f()\nT = [\"a\"] + f()", 1, false},
		{"D = {\"a\": 1}\nT = [D[\"b\"]]", 0, false},
	} {
		src, err := Read(testName, []byte(tt.text))
		if err != nil {
			t.Fatal(err)
		}
		elems, closed := src.list("T")
		if len(elems) != tt.n || closed != tt.closed {
			t.Errorf("%s\nT has %d elements, closed %v; want %d, %v", tt.text, len(elems), closed, tt.n, tt.closed)
		}
	}
}

// A function of the file does not change the tables while rules call it.
func TestFrozen(t *testing.T) {
	src := read(t, "T = {\"a\": [1]}\ndef f():\n    x = T[\"a\"]\n    x.append(2)\n    return x\ndef g():\n    d = {\"a\": 1}\n    d[\"b\"] = 2\n    return d\n")
	if v, failure := src.call("f"); v.kind != unknown || failure != "" {
		t.Errorf("f returns %+v, %q", v, failure)
	}
	if v, _ := src.globals["T"].get(textValue("a")); len(v.elems) != 1 {
		t.Errorf("the table has %d elements now", len(v.elems))
	}
	if v, _ := src.call("g"); len(v.items) != 2 {
		t.Errorf("g returns %+v", v)
	}
}

// Columns count bytes, whatever the letters and the line ends.
func TestPositions(t *testing.T) {
	text := "# ü\r\nNOTE = \"é\"; HOST_CONTACT_EMAILS = {\"x\": [\"é\", 1]}\r\n"
	src := read(t, text)
	r := lint.NewReporter(nil)
	Check(src, r)
	lint.Ignore(r, Comments(src), lint.Names(Docs()))
	lint.Sort(r.Findings)
	if len(r.Findings) != 2 {
		t.Fatalf("findings: %v", r.Findings)
	}
	line := strings.Split(text, "\r\n")[1]
	for i, want := range []string{`"é"`, `1`} {
		f := r.Findings[i]
		if got := line[f.Column-1 : f.EndColumn-1]; f.Line != 2 || got != want {
			t.Errorf("%s is at %q, want %q", f, got, want)
		}
	}
}

func TestComments(t *testing.T) {
	src := read(t, `#!/usr/bin/env lucicfg
A = ["#no", '''
#no''', "\"#no"]  # yes
# gobuild:ignore star-duplicate reason
B = {
    #gobuild:ignore star-unsorted reason
    "x": struct(
        a = 1,
    ),
}`)
	var got []string
	for _, c := range Comments(src) {
		got = append(got, fmt.Sprintf("%d %s %v %d", c.At.Start.Line, c.Text, c.Alone, c.Until))
	}
	want := []string{
		"1 !/usr/bin/env lucicfg true 3", "3 yes false 3", "4 gobuild:ignore star-duplicate reason true 0",
		"6 gobuild:ignore star-unsorted reason true 9",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// Nothing that can be written takes long, or more than there is.
func TestHostile(t *testing.T) {
	if _, err := Read(testName, make([]byte, maxSize+1)); err == nil {
		t.Error("a text that is too long is read")
	}
	if _, err := Read(testName, []byte("A = 1\x00")); err == nil {
		t.Error("a text with a zero byte is read")
	}
	doubling := "A0 = [\"x\"]\nS0 = \"x\"\nD0 = [1]\n"
	for i := range 200 {
		doubling += fmt.Sprintf("A%d = A%d + A%d\nS%d = S%d + S%d\nD%d = [D%d, D%d]\nE%d = D%d == D%d\n", i+1, i, i, i+1, i, i, i+1, i, i, i, i, i+1)
	}
	for name, text := range map[string]string{
		"deep":     strings.Repeat("[", 100_000),
		"chain":    "BUILDER_TYPES = 1" + strings.Repeat("+1", maxSize/2-20),
		"dots":     "# x\nA = a" + strings.Repeat(".b", maxSize/2-20),
		"calls":    "A = f" + strings.Repeat("()", maxSize/2-20),
		"wide":     "BUILDER_TYPES = [" + strings.Repeat("\"a-b\",", maxSize/6-20) + "]",
		"keys":     "SLOW_HOSTS = {" + strings.Repeat("\"a-b\":1,", maxSize/8-20) + "}",
		"lines":    strings.Repeat("A = [\n", maxSize/6),
		"doubling": doubling,
		"loops":    "L = range(9)\nK = [1, 2, 3, 4, 5, 6, 7, 8, 9]\n" + strings.Repeat("A = [1 for a in K for b in K for c in K for d in K for e in K for f in K]\n", 3000),
		"endless":  "def f(x):\n    for y in x:\n        x.append(y)\n    return f(x)\n" + strings.Repeat("A = f([1])\n", 3000),
	} {
		start := time.Now()
		src, err := Read(testName, []byte(text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		Check(src, lint.NewReporter(nil))
		if took := time.Since(start); took > time.Minute {
			t.Errorf("%s takes %v", name, took)
		} else {
			t.Logf("%s: %v", name, took)
		}
	}
}

// FuzzRead reads anything, and checks that findings lie in the file and that
// their fixes can be made.
func FuzzRead(f *testing.F) {
	files, _ := filepath.Glob("testdata/rules/*.txtar")
	for _, file := range files {
		ar, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range ar.Files {
			if strings.HasSuffix(file.Name, ".star") {
				f.Add(file.Data)
			}
		}
	}
	prelude, err := os.ReadFile("testdata/prelude.star")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(prelude)
	f.Fuzz(func(t *testing.T, text []byte) {
		text = append(slices.Clone(text), "\n"...)
		text = append(text, prelude...)
		src, err := Read(testName, text)
		if err != nil {
			return
		}
		r := lint.NewReporter(nil)
		Check(src, r)
		lint.Ignore(r, Comments(src), lint.Names(Docs()))
		lines := strings.Count(string(text), "\n") + strings.Count(string(text), "\r") + 1
		for _, finding := range r.Findings {
			if finding.Line < 1 || finding.Line > lines || finding.Column < 1 || finding.EndLine < finding.Line {
				t.Errorf("a finding outside of the file: %+v", finding)
			}
		}
		if _, _, err := lint.Apply(testName, text, r.Findings); err != nil {
			t.Error(err)
		}
	})
}
