package lucidef

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"go.starlark.net/syntax"

	"gobuild/pkg/hint"
)

// Insert returns a main.star with the entries in its tables: of alphabetical
// ones at their place, else at the end. It is an error if a table is not there,
// is not written as a list or dict, or has such an entry.
func Insert(name string, text []byte, entries []Entry) ([]byte, error) {
	file, err := (&syntax.FileOptions{}).Parse(name, text, 0)
	if err != nil {
		return nil, err
	}
	lines := bytes.SplitAfter(text, []byte("\n"))
	type insertion struct {
		before int // line, from 0
		line   string
	}
	var insertions []insertion
	for _, e := range entries {
		table := findTable(file, e.Table)
		if table == nil {
			return nil, hint.With(fmt.Errorf("%s has no table %s that is written as a list or a dict", name, e.Table), "is it the main.star of golang.org/x/build's branch luci-config?")
		}
		at, err := table.place(e)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		for at > 0 && at < table.end && bytes.HasPrefix(bytes.TrimSpace(lines[at-1]), []byte("#")) {
			at-- // the comment is about the entry behind it
		}
		insertions = append(insertions, insertion{at, e.Line})
	}
	slices.SortStableFunc(insertions, func(a, b insertion) int { return a.before - b.before })
	var out bytes.Buffer
	next := 0
	for i, line := range lines {
		for next < len(insertions) && insertions[next].before == i {
			out.WriteString(insertions[next].line + "\n")
			next++
		}
		out.Write(line)
	}
	return out.Bytes(), nil
}

// table is a list or a dict of main.star.
type table struct {
	name string
	keys []key
	end  int // line of the closing bracket, from 0
}

// key is a string that an entry begins with, or is.
type key struct {
	text string
	line int // from 0
}

// findTable returns the table in an assignment; of a sum of lists the one that
// is written out.
func findTable(file *syntax.File, name string) *table {
	for _, stmt := range file.Stmts {
		assign, ok := stmt.(*syntax.AssignStmt)
		if !ok || assign.Op != syntax.EQ {
			continue
		}
		if id, ok := assign.LHS.(*syntax.Ident); ok && id.Name == name {
			return tableOf(name, assign.RHS)
		}
	}
	return nil
}

func tableOf(name string, expr syntax.Expr) *table {
	t := &table{name: name}
	switch e := expr.(type) {
	case *syntax.BinaryExpr:
		if right := tableOf(name, e.Y); right != nil {
			return right
		}
		return tableOf(name, e.X)
	case *syntax.ParenExpr:
		return tableOf(name, e.X)
	case *syntax.ListExpr:
		t.end = int(e.Rbrack.Line) - 1
		for _, item := range e.List {
			t.add(item)
		}
		return t
	case *syntax.DictExpr:
		t.end = int(e.Rbrace.Line) - 1
		for _, item := range e.List {
			if entry, ok := item.(*syntax.DictEntry); ok {
				t.add(entry.Key)
			}
		}
		return t
	}
	return nil
}

func (t *table) add(expr syntax.Expr) {
	if lit, ok := expr.(*syntax.Literal); ok {
		if text, ok := lit.Value.(string); ok {
			t.keys = append(t.keys, key{text, int(lit.TokenPos.Line) - 1})
		}
	}
}

// place returns the line that an entry goes before.
func (t *table) place(e Entry) (int, error) {
	for _, k := range t.keys {
		if k.text == e.Key {
			return 0, hint.With(fmt.Errorf("line %d: %s has %s already", k.line+1, t.name, e.Key), "the builder is defined, or another is: look there first")
		}
		if k.line == t.end {
			return 0, fmt.Errorf("line %d: %s is written on one line; give each entry a line of its own first", t.end+1, t.name)
		}
	}
	if e.Sorted {
		for _, k := range t.keys {
			if strings.Compare(k.text, e.Key) > 0 {
				return k.line, nil
			}
		}
	}
	return t.end, nil
}

// context is how many lines a diff shows around a change.
const context = 3

// Diff returns a change that only adds lines in the unified form that git apply
// takes.
func Diff(name string, before, after []byte) string {
	old, new := splitLines(before), splitLines(after)
	type hunk struct{ oldStart, oldEnd, newStart, newEnd int }
	var hunks []hunk
	i := 0
	for j := range new {
		if i < len(old) && old[i] == new[j] {
			i++
			continue
		}
		h := hunk{max(0, i-context), min(len(old), i+context), max(0, j-context), 0}
		if n := len(hunks); n > 0 && hunks[n-1].oldEnd >= h.oldStart {
			hunks[n-1].oldEnd = h.oldEnd
		} else {
			hunks = append(hunks, h)
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "--- a/%s\n+++ b/%s\n", name, name)
	for _, h := range hunks {
		var body strings.Builder
		i, j := h.oldStart, h.newStart
		for i < h.oldEnd || j < len(new) && (i >= len(old) || new[j] != old[i]) {
			if i < len(old) && j < len(new) && old[i] == new[j] {
				body.WriteString(" " + old[i] + "\n")
				i++
			} else {
				body.WriteString("+" + new[j] + "\n")
			}
			j++
		}
		fmt.Fprintf(&b, "@@ -%d,%d +%d,%d @@\n%s", h.oldStart+1, i-h.oldStart, h.newStart+1, j-h.newStart, body.String())
	}
	return b.String()
}

func splitLines(text []byte) []string {
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}
