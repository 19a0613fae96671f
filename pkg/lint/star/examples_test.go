package star

import (
	"testing"

	"gobuild/pkg/lint/linttest"
)

// TestExamples checks the examples in the documentation of the rules: what is
// before gives a finding of the rule, and what is after gives none of it.
func TestExamples(t *testing.T) {
	for _, rule := range Rules() {
		t.Run(rule.ID, func(t *testing.T) {
			if findings := linttest.Of(rule.Doc, lintText(t, []byte(rule.Before))); len(findings) == 0 {
				t.Errorf("before: the rule finds nothing in\n%s", rule.Before)
			}
			if findings := linttest.Of(rule.Doc, lintText(t, []byte(rule.After))); len(findings) > 0 {
				t.Errorf("after: %v in\n%s", findings, rule.After)
			}
		})
	}
}
