package lint

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"
)

// TestWriteSARIF holds the log against the schema of SARIF 2.1.0.
func TestWriteSARIF(t *testing.T) {
	const text = "package x\n\nvar näme, 😀x = \"host\", 1\n"
	rules := []Doc{
		{ID: "loud", Severity: Error, Title: "loud", Why: "why", Before: "a", After: "b"},
		{ID: "quiet", Severity: Info, Title: "quiet", Why: "why", Before: "a", After: "b"},
	}
	findings := []Finding{
		{Rule: "loud", Severity: Error, File: "a b/ä.go", Line: 3, Column: 18, EndLine: 3, EndColumn: 24, Message: "no <host> \"x\"", Fix: &Fix{Message: "mend", Edits: []Edit{{28, 34, "\"ö\""}, {0, 0, ""}}}},
		{Rule: "quiet", Severity: Info, File: "/etc/x.go", Line: 1, Column: 1, EndLine: 1, EndColumn: 8, Message: "here"},
	}
	for name, list := range map[string][]Finding{"none": nil, "some": findings} {
		var out bytes.Buffer
		if err := WriteSARIF(&out, "v1", rules, list, map[string][]byte{"a b/ä.go": []byte(text)}); err != nil {
			t.Fatal(err)
		}
		rep, err := sarif.FromBytes(out.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if err := rep.Validate(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, &out)
		}
		var log struct {
			Runs []struct {
				ColumnKind string
				Results    []struct {
					Level     string
					Locations []struct {
						PhysicalLocation struct {
							ArtifactLocation struct{ URI string }
							Region           struct{ StartColumn, EndColumn int }
						}
					}
					Fixes []json.RawMessage
				}
			}
		}
		if err := json.Unmarshal(out.Bytes(), &log); err != nil {
			t.Fatal(err)
		}
		if log.Runs[0].ColumnKind != "utf16CodeUnits" || len(log.Runs[0].Results) != len(list) {
			t.Fatalf("%s: %+v", name, log)
		}
		if name == "none" {
			continue
		}
		first, second := log.Runs[0].Results[0], log.Runs[0].Results[1]
		at := first.Locations[0].PhysicalLocation
		// The ä is two bytes and one unit, the emoji four bytes and two.
		if at.Region.StartColumn != 15 || at.Region.EndColumn != 21 || at.ArtifactLocation.URI != "a%20b/%C3%A4.go" || len(first.Fixes) != 1 {
			t.Errorf("%+v", first)
		}
		if second.Level != "note" || second.Locations[0].PhysicalLocation.ArtifactLocation.URI != "file:///etc/x.go" {
			t.Errorf("%+v", second)
		}
	}
}
