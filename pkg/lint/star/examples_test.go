package star

import (
	"slices"
	"testing"

	"gobuild/pkg/lint"
)

// TestExamples checks the examples in the documentation of the rules: what is
// before gives a finding of the rule, and what is after gives none of it.
func TestExamples(t *testing.T) {
	for _, rule := range Rules() {
		t.Run(rule.ID, func(t *testing.T) {
			others := func(f lint.Finding) bool { return f.Rule != rule.ID }
			if findings := slices.DeleteFunc(lintText(t, []byte(rule.Before)), others); len(findings) == 0 {
				t.Errorf("before: the rule finds nothing in\n%s", rule.Before)
			}
			if findings := slices.DeleteFunc(lintText(t, []byte(rule.After)), others); len(findings) > 0 {
				t.Errorf("after: %v in\n%s", findings, rule.After)
			}
		})
	}
}
