package star

import (
	"fmt"

	"go.starlark.net/syntax"
)

// kind is what a value is.
type kind int

const (
	unknown kind = iota
	none
	truth
	number
	fraction
	text
	list   // or a tuple
	dict   // in the order of the text
	record // struct(...)
	function
)

// value is what an expression comes to, as far as that can be known.
type value struct {
	kind  kind
	text  string
	num   int64 // of truth 0 or 1
	elems []*value
	items []item
	def   *syntax.DefStmt
	open  bool        // there may be more in it than is known
	node  syntax.Expr // where it is written; nil if it is computed
}

// item is what a dict or a struct holds.
type item struct {
	key, val *value
	node     syntax.Node // the entry; nil if it is computed
}

var anything = &value{}

func textValue(s string) *value  { return &value{kind: text, text: s} }
func numValue(n int64) *value    { return &value{kind: number, num: n} }
func noneValue() *value          { return &value{kind: none} }
func listOf(vs ...*value) *value { return &value{kind: list, elems: vs} }

func truthValue(b bool) *value {
	v := &value{kind: truth}
	if b {
		v.num = 1
	}
	return v
}

// isTrue returns what a condition on the value comes to.
func (v *value) isTrue() (is, known bool) {
	switch v.kind {
	case none:
		return false, true
	case truth, number:
		return v.num != 0, true
	case text:
		return v.text != "", true
	case list:
		return len(v.elems) > 0, len(v.elems) > 0 || !v.open
	case dict:
		return len(v.items) > 0, len(v.items) > 0 || !v.open
	case record, function:
		return true, true
	}
	return false, false
}

// equal returns whether two values are the same.
func equal(a, b *value) (same, known bool) {
	budget := 1000
	return equalWithin(a, b, &budget)
}

// equalWithin is equal with a limit: what is nested may share its parts.
func equalWithin(a, b *value, budget *int) (same, known bool) {
	if *budget--; *budget < 0 {
		return false, false
	}
	if a.kind == unknown || b.kind == unknown || a.kind == fraction || b.kind == fraction || a.kind == function || b.kind == function {
		return false, false
	}
	if a.kind != b.kind {
		return false, true
	}
	switch a.kind {
	case truth, number:
		return a.num == b.num, true
	case text:
		return a.text == b.text, true
	case list:
		if a.open || b.open {
			return false, false
		}
		if len(a.elems) != len(b.elems) {
			return false, true
		}
		same, known = true, true
		for i := range a.elems {
			s, k := equalWithin(a.elems[i], b.elems[i], budget)
			if k && !s {
				return false, true
			}
			same, known = same && s, known && k
		}
		return same, known
	case dict, record:
		if a.open || b.open {
			return false, false
		}
		if len(a.items) != len(b.items) {
			return false, true
		}
		same, known = true, true
		for _, it := range a.items {
			other, k := b.getWithin(it.key, budget)
			if !k {
				known = false
				continue
			}
			if other == nil {
				return false, true
			}
			s, k := equalWithin(it.val, other, budget)
			if k && !s {
				return false, true
			}
			same, known = same && s, known && k
		}
		return same, known
	}
	return true, true
}

// get returns what a dict or a struct has under a key, or nil; the last one of
// several counts.
func (v *value) get(key *value) (val *value, known bool) {
	budget := 1000 + len(v.items)
	return v.getWithin(key, &budget)
}

func (v *value) getWithin(key *value, budget *int) (val *value, known bool) {
	known = !v.open
	for i := len(v.items) - 1; i >= 0; i-- {
		same, k := equalWithin(v.items[i].key, key, budget)
		if same && k {
			return v.items[i].val, true
		}
		known = known && k
	}
	return nil, known
}

// field is get with the name of a struct's field.
func (v *value) field(name string) *value {
	if v.kind != record {
		return nil
	}
	val, _ := v.get(textValue(name))
	return val
}

// set puts a value under a key of a dict.
func (v *value) set(key, val *value, node syntax.Node) {
	if key.kind == unknown {
		v.open = true
		return
	}
	for i := range v.items {
		if same, known := equal(v.items[i].key, key); same && known {
			v.items[i].val = val
			return
		}
	}
	v.items = append(v.items, item{key, val, node})
}

// clone returns a copy that may be changed.
func (v *value) clone() *value {
	c := *v
	c.elems = append([]*value(nil), v.elems...)
	c.items = append([]item(nil), v.items...)
	return &c
}

// String returns the value as Starlark's str does, as far as rules need it.
func (v *value) String() string {
	switch v.kind {
	case text:
		return v.text
	case number:
		return fmt.Sprint(v.num)
	}
	return ""
}
