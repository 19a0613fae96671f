package lint

import (
	"slices"
	"strings"
)

// Rule is a rule about what a P holds: a file, and where findings go.
type Rule[P any] struct {
	Doc
	// Check reports what is wrong.
	Check func(P)
	// Last is set for a rule that looks at what the others have found.
	Last bool
}

// Rules is all rules about one kind of file. They are added when the program
// starts; from then on it may be used by several goroutines at once.
type Rules[P any] struct{ list []Rule[P] }

// Add adds a rule. It returns nothing of use: that makes it a variable's value,
// so that each rule's file can call it.
func (s *Rules[P]) Add(rule Rule[P]) struct{} {
	s.list = append(s.list, rule)
	return struct{}{}
}

// All returns all rules, sorted by name.
func (s *Rules[P]) All() []Rule[P] {
	// Here, not in Add: every start of the program adds them, few use them.
	list := slices.Clone(s.list)
	slices.SortFunc(list, func(a, b Rule[P]) int { return strings.Compare(a.ID, b.ID) })
	return list
}

// Docs returns the documentation of all rules, sorted by name.
func (s *Rules[P]) Docs() []Doc {
	list := s.All()
	docs := make([]Doc, len(list))
	for i, rule := range list {
		docs[i] = rule.Doc
	}
	return docs
}

// Doc returns the documentation of a rule, if there is one of that name.
func (s *Rules[P]) Doc(id string) (Doc, bool) {
	i := slices.IndexFunc(s.list, func(rule Rule[P]) bool { return rule.ID == id })
	if i < 0 {
		return Doc{}, false
	}
	return s.list[i].Doc, true
}

// Check applies the rules that are not off, those that look at what the others
// have found behind them. pass returns what a rule gets. What comments take
// back is still among the findings: see Ignore.
func (s *Rules[P]) Check(r *Reporter, pass func(Doc) P) {
	list := s.All()
	for _, last := range []bool{false, true} {
		for _, rule := range list {
			if rule.Last == last && r.Applies(rule.Doc) {
				rule.Check(pass(rule.Doc))
			}
		}
	}
}

// SortDocs sorts documentation by the rules' names.
func SortDocs(docs []Doc) {
	slices.SortFunc(docs, func(a, b Doc) int { return strings.Compare(a.ID, b.ID) })
}

// Names returns the names of rules, in their order.
func Names(docs []Doc) []string {
	names := make([]string, len(docs))
	for i, d := range docs {
		names[i] = d.ID
	}
	return names
}
