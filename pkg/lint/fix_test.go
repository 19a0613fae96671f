package lint

import (
	"strings"
	"testing"
)

// fixes makes findings in file.txt with an edit each.
func fixes(edits ...[]Edit) (list []Finding) {
	for _, e := range edits {
		list = append(list, Finding{Rule: "rule", File: "file.txt", Fix: &Fix{Message: "mend", Edits: e}})
	}
	return list
}

func TestApply(t *testing.T) {
	const text = "0123456789"
	for _, test := range []struct {
		name     string
		findings []Finding
		want     string
		made     int
	}{
		{"none", nil, text, 0},
		{"no fix", []Finding{{File: "file.txt"}}, text, 0},
		{"another file", []Finding{{File: "other.txt", Fix: &Fix{Edits: []Edit{{0, 1, "x"}}}}}, text, 0},
		{"in their order", fixes([]Edit{{1, 2, "b"}}, []Edit{{0, 1, "a"}}), "ab23456789", 2},
		{"side by side", fixes([]Edit{{0, 2, "a"}}, []Edit{{2, 4, "b"}}), "ab456789", 2},
		{"the first of two that overlap", fixes([]Edit{{0, 5, "a"}}, []Edit{{4, 6, "b"}}), "a56789", 1},
		{"the first, also if it comes later", fixes([]Edit{{4, 6, "b"}}, []Edit{{0, 5, "a"}}), "0123b6789", 1},
		{"one within another", fixes([]Edit{{0, 10, "a"}}, []Edit{{4, 6, "b"}}), "a", 1},
		{"the same twice", fixes([]Edit{{4, 6, "b"}}, []Edit{{4, 6, "b"}}), "0123b6789", 1},
		{"the same insertion twice", fixes([]Edit{{4, 4, "b"}}, []Edit{{4, 4, "b"}}), "0123b456789", 1},
		{"insertions", fixes([]Edit{{0, 0, "a"}}, []Edit{{10, 10, "z"}}), "a0123456789z", 2},
		{"an insertion before a change", fixes([]Edit{{4, 5, "x"}}, []Edit{{4, 4, "b"}}), "0123bx56789", 2},
		{"an insertion within a change", fixes([]Edit{{2, 6, "x"}}, []Edit{{4, 4, "b"}}), "01x6789", 1},
		{"all of a fix or nothing", fixes([]Edit{{0, 5, "a"}}, []Edit{{8, 9, "b"}, {4, 6, "b"}}, []Edit{{8, 9, "c"}}), "a567c9", 2},
		{"several edits of one fix", fixes([]Edit{{8, 9, "b"}, {0, 1, "a"}}), "a1234567b9", 1},
		{"the whole text", fixes([]Edit{{0, 10, ""}}), "", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			out, made, err := Apply("file.txt", []byte(text), test.findings)
			if err != nil {
				t.Fatal(err)
			}
			if string(out) != test.want || made != test.made {
				t.Errorf("%q with %d fixes, want %q with %d", out, made, test.want, test.made)
			}
		})
	}
}

func TestApplyBounds(t *testing.T) {
	for _, e := range []Edit{{-1, 2, ""}, {3, 2, ""}, {0, 11, ""}, {11, 11, "x"}} {
		out, made, err := Apply("file.txt", []byte("0123456789"), fixes([]Edit{e}))
		if err == nil || out != nil || made != 0 {
			t.Errorf("%v: %q, %d fixes, error %v", e, out, made, err)
		}
	}
}

func TestApplyGo(t *testing.T) {
	const text = "package x\n\nvar list = []int{1,   2}\n"
	finding := func(old, new string) []Finding {
		at := strings.Index(text, old)
		return []Finding{{File: "x.go", Fix: &Fix{Edits: []Edit{{at, at + len(old), new}}}}}
	}
	out, made, err := Apply("x.go", []byte(text), finding("1,", "1, 3,"))
	if want := "package x\n\nvar list = []int{1, 3, 2}\n"; err != nil || made != 1 || string(out) != want {
		t.Errorf("%q, %d fixes, error %v, want %q", out, made, err, want)
	}
	again, made, err := Apply("x.go", out, nil)
	if err != nil || made != 0 || string(again) != string(out) {
		t.Errorf("again: %q, %d fixes, error %v", again, made, err)
	}
	if out, made, err = Apply("x.go", []byte(text), nil); err != nil || made != 0 || string(out) != text {
		t.Errorf("without a fix: %q, %d fixes, error %v", out, made, err)
	}
	if out, made, err = Apply("x.go", []byte(text), finding("}", ")")); err == nil || out != nil || made != 0 {
		t.Errorf("what is no Go afterwards: %q, %d fixes, error %v", out, made, err)
	}
}
