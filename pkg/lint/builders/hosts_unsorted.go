package builders

import (
	"bytes"
	"cmp"
	"go/ast"
	"slices"
	"strings"

	"gobuild/pkg/lint"
)

var _ = register(Rule{
	Doc: lint.Doc{
		ID: "hosts-unsorted", Severity: lint.Warning, Title: "host types that are not in the order of their names",
		Why: "The table is sorted by the bytes of its keys, so that an entry is found and is not added twice; upstream's tests insist on it. " +
			"--fix moves the entries, together with the comments above and behind them.",
		Before:  "\"host-linux-arm64\": {VMImage: \"arm64\"},\n\"host-linux-amd64\": {VMImage: \"amd64\"},",
		After:   "\"host-linux-amd64\": {VMImage: \"amd64\"},\n\"host-linux-arm64\": {VMImage: \"arm64\"},",
		Fix:     true,
		Section: "build protocol, section 12.3, rule 17",
	},
	Check: func(p *Pass) {
		list := p.hostEntries()
		stay, out := longestRun(list)
		if len(out) == 0 {
			return
		}
		fix := p.sortHosts(list, stay, out)
		if len(out) > max(3, len(list)/4) { // there is no order that single ones are out of
			first := list[out[0]]
			p.ReportFix(first.node.Key, fix, "the host types are not in the order of their names: %d of %d are out of place, host type %s first", len(out), len(list), first.key)
			return
		}
		for _, i := range out {
			e := list[i]
			if next := successor(list, stay, e.key); next >= 0 {
				p.ReportFix(e.node.Key, fix, "host type %s is out of order and should stand before %s", e.key, list[next].key)
			} else {
				p.ReportFix(e.node.Key, fix, "host type %s is out of order and should stand at the end of the table", e.key)
			}
		}
	},
})

// hostEntry is an entry in the literal of the table of host types.
type hostEntry struct {
	key  string
	node *ast.KeyValueExpr
}

// hostEntries returns the entries of the table; none if a key is not written
// out.
func (p *Pass) hostEntries() []hostEntry {
	lit := p.hostsLit()
	if lit == nil || len(p.Syntax) > 0 {
		return nil
	}
	var list []hostEntry
	for _, e := range lit.Elts {
		kv, ok := e.(*ast.KeyValueExpr)
		if !ok {
			return nil
		}
		key, ok := literalText(kv.Key)
		if !ok {
			return nil
		}
		list = append(list, hostEntry{key, kv})
	}
	return list
}

// longestRun returns the places of as many entries as can stay where they are,
// and those of the others.
func longestRun(list []hostEntry) (stay, out []int) {
	before := make([]int, len(list))
	var ends []int // of the runs of each length, the one with the least key
	for i, e := range list {
		n, _ := slices.BinarySearchFunc(ends, e.key, func(end int, key string) int {
			if list[end].key <= key {
				return -1
			}
			return 1
		})
		before[i] = -1
		if n > 0 {
			before[i] = ends[n-1]
		}
		if n == len(ends) {
			ends = append(ends, i)
		} else {
			ends[n] = i
		}
	}
	if len(ends) > 0 {
		for i := ends[len(ends)-1]; i >= 0; i = before[i] {
			stay = append(stay, i)
		}
	}
	slices.Reverse(stay)
	next := 0
	for i := range list {
		if next < len(stay) && stay[next] == i {
			next++
		} else {
			out = append(out, i)
		}
	}
	return stay, out
}

// successor returns the place of the entry that stays and that an entry with
// this key belongs before, or -1.
func successor(list []hostEntry, stay []int, key string) int {
	n, _ := slices.BinarySearchFunc(stay, key, func(i int, key string) int {
		if list[i].key <= key {
			return -1
		}
		return 1
	})
	if n == len(stay) {
		return -1
	}
	return stay[n]
}

// sortHosts moves what is out of order to its place; nil if it is not clear
// which text belongs to which entry.
func (p *Pass) sortHosts(list []hostEntry, stay, out []int) *lint.Fix {
	chunks := p.chunks(list)
	if chunks == nil {
		return nil
	}
	fix := &lint.Fix{Message: "sort the table by its keys"}
	text := map[int]string{} // by the place that it goes to
	out = slices.Clone(out)
	slices.SortStableFunc(out, func(i, j int) int { return strings.Compare(list[i].key, list[j].key) })
	for _, i := range out {
		to := chunks[len(list)-1].end
		if next := successor(list, stay, list[i].key); next >= 0 {
			to = chunks[next].start
		}
		text[to] += string(p.Text[chunks[i].start:chunks[i].end])
		fix.Edits = append(fix.Edits, lint.Edit{Start: chunks[i].start, End: chunks[i].end})
	}
	for to, lines := range text {
		fix.Edits = append(fix.Edits, lint.Edit{Start: to, End: to, New: lines})
	}
	slices.SortFunc(fix.Edits, func(a, b lint.Edit) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.End, b.End))
	})
	return fix
}

// chunk is the whole lines of an entry, with the comments above it.
type chunk struct{ start, end int }

// chunks returns the lines of each entry; nil if they share lines, or if there
// are comments that may belong to several of them.
func (p *Pass) chunks(list []hostEntry) []chunk {
	text, lit := p.Text, p.hostsLit()
	from, _ := p.offsets(lit)
	brace := p.Fset.Position(lit.Lbrace).Offset
	end := bytes.IndexByte(text[brace:], '\n')
	if from < 0 || end < 0 || len(bytes.TrimSpace(text[brace+1:brace+end])) > 0 {
		return nil
	}
	at := brace + end + 1
	var chunks []chunk
	commented := false // the line before ends in a comment, which may go on
	for i, e := range list {
		start, stop := p.offsets(e.node)
		before := text[at:start]
		if comment := bytes.TrimSpace(before); len(comment) > 0 {
			// What is set off by an empty line, or heads the table, may be about
			// all that follows.
			if i == 0 || commented || bytes.Contains(before, []byte("\n\n")) || !bytes.HasPrefix(comment, []byte("//")) || bytes.Contains(comment, []byte("/*")) {
				return nil
			}
		} else {
			at = start - len(before[bytes.LastIndexByte(before, '\n')+1:]) // empty lines stay
		}
		rest, _, found := bytes.Cut(text[stop:], []byte("\n"))
		if !found || !bytes.HasPrefix(rest, []byte(",")) {
			return nil
		}
		behind := bytes.TrimSpace(rest[1:])
		commented = len(behind) > 0
		if commented && !bytes.HasPrefix(behind, []byte("//")) {
			return nil
		}
		chunks = append(chunks, chunk{at, stop + len(rest) + 1})
		at = stop + len(rest) + 1
	}
	if last := p.Fset.Position(lit.Rbrace).Offset; last < at || len(bytes.TrimSpace(text[at:last])) > 0 {
		return nil
	}
	return chunks
}
