package builders

import (
	"go/ast"
	"slices"
	"strings"

	"gobuild/pkg/buildconfig"
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
		if r.SeverityOf(rule.Doc) == lint.Off {
			continue
		}
		rule.Check(&Pass{Source: src, rule: Rule{Doc: rule.Doc}, reporter: r}, old)
	}
}

// tableNode returns the name of a package-level variable of the linted file,
// to point at what is missing there; nil if there is none.
func (p *Pass) tableNode(name string) ast.Node {
	for _, d := range p.File.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, spec := range g.Specs {
			if v, ok := spec.(*ast.ValueSpec); ok {
				for _, id := range v.Names {
					if id.Name == name {
						return id
					}
				}
			}
		}
	}
	return nil
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
