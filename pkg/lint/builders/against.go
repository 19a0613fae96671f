package builders

import (
	"slices"
	"strings"

	"gobuild/pkg/buildconfig"
	"gobuild/pkg/hint"
	"gobuild/pkg/lint"
)

// ChangeRule is a rule about what a change of a builders.go means for the
// machines that are out there.
type ChangeRule struct {
	lint.Doc
	// Check compares p, the new version, with the old one.
	Check func(p *Pass, old *buildconfig.Source)
}

// changeRules is every ChangeRule; each file adds its own.
var changeRules []ChangeRule

func registerChange(r ChangeRule) struct{} {
	changeRules = append(changeRules, r)
	return struct{}{}
}

// ChangeRules returns all rules about changes, sorted by name.
func ChangeRules() []ChangeRule {
	list := slices.Clone(changeRules)
	slices.SortFunc(list, func(a, b ChangeRule) int { return strings.Compare(a.ID, b.ID) })
	return list
}

// CheckChange applies the rules about changes from old to src.
func CheckChange(src, old *buildconfig.Source, r *lint.Reporter) {
	for _, rule := range ChangeRules() {
		if !r.Applies(rule.Doc) {
			continue
		}
		rule.Check(&Pass{Source: src, rule: Rule{Doc: rule.Doc}, reporter: r}, old)
	}
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
