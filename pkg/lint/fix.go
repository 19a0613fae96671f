package lint

import (
	"cmp"
	"errors"
	"fmt"
	"go/format"
	"slices"
	"strings"
)

// Apply makes the fixes of findings in the text of a file and returns it,
// formatted as gofmt does if it is Go. Of fixes that touch the same bytes the
// first is made; made says how many were. Done again on what it returns it
// changes nothing more, as far as the rules find nothing more.
func Apply(file string, text []byte, findings []Finding) (out []byte, made int, err error) {
	type change struct {
		Edit
		of int
	}
	var changes []change
	for i, f := range findings {
		if f.Fix == nil || f.File != file {
			continue
		}
		for _, e := range f.Fix.Edits {
			if e.Start < 0 || e.End < e.Start || e.End > len(text) {
				return nil, 0, fmt.Errorf("fix of %s: it lies outside of the file", f)
			}
			changes = append(changes, change{e, i})
		}
	}
	taken := map[int]bool{}
	refused := map[int]bool{}
	for i, a := range changes {
		for _, b := range changes[:i] {
			if a.of != b.of && !refused[b.of] && a.Start < b.End && b.Start < a.End {
				refused[a.of] = true
			}
		}
	}
	changes = slices.DeleteFunc(changes, func(c change) bool { return refused[c.of] })
	slices.SortStableFunc(changes, func(a, b change) int { return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.End, b.End)) })
	changes = slices.CompactFunc(changes, func(a, b change) bool { return a.Edit == b.Edit })
	at := 0
	for _, c := range changes {
		if c.Start < at {
			continue // within one that is made already
		}
		out = append(out, text[at:c.Start]...)
		out = append(out, c.New...)
		at = c.End
		taken[c.of] = true
	}
	out = append(out, text[at:]...)
	if !strings.HasSuffix(file, ".go") || len(taken) == 0 {
		return out, len(taken), nil
	}
	formatted, err := format.Source(out)
	if err != nil {
		return nil, 0, errors.Join(errors.New("the fixes do not fit together; nothing was changed"), err)
	}
	return formatted, len(taken), nil
}
