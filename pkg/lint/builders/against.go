package builders

import (
	"slices"

	"gobuild/pkg/buildconfig"
	"gobuild/pkg/hint"
	"gobuild/pkg/lint"
)

// ChangeRule is a rule about what a change of a builders.go means for the
// machines that are out there.
type ChangeRule = lint.Rule[*Change]

// Change is what such a rule gets: the new version, and the old one.
type Change struct {
	*Pass
	Old *buildconfig.Source
}

// changeRules is every ChangeRule.
var changeRules lint.Rules[*Change]

// registerChange adds a rule; its file does so when the program starts.
func registerChange(r ChangeRule) struct{} { return changeRules.Add(r) }

// ChangeRules returns all rules about changes, sorted by name.
func ChangeRules() []ChangeRule { return changeRules.All() }

// CheckChange applies the rules about changes from old to src.
func CheckChange(src, old *buildconfig.Source, r *lint.Reporter) {
	changeRules.Check(r, func(rule lint.Doc) *Change {
		return &Change{&Pass{Source: src, rule: rule, reporter: r}, old}
	})
}

// renamed guesses which of the added names is the new one of what is gone, and
// takes it out of them: it is nothing else's.
func renamed(gone string, added *[]string) string {
	near := hint.Nearest(gone, *added)
	if near == "" {
		return ""
	}
	*added = slices.DeleteFunc(*added, func(name string) bool { return name == near })
	return " (renamed to " + near + "?)"
}

// certain reports whether a record is there for sure.
func certain(r *buildconfig.Record) bool { return r != nil && r.Maybe == "" && !r.Rejected }

// whole reports whether both versions are known to the last entry: only then
// is what is not found really missing.
func whole(srcs ...*buildconfig.Source) bool {
	return !slices.ContainsFunc(srcs, func(s *buildconfig.Source) bool {
		return s.Stopped != "" || s.HostsOpen != "" || s.BuildersOpen != "" || len(s.Syntax) > 0
	})
}
