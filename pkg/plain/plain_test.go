package plain

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestText(t *testing.T) {
	for in, want := range map[string]string{
		"":                              "",
		"plain ä 日本":                    "plain ä 日本",
		"a\tb":                          "a b",
		"two\nlines\r":                  "two?lines?",
		"\x1b[2Jgone":                   "?[2Jgone",
		"\x9b2J \u009b":                 "?2J ?",
		"user\u202egpj.exe\u2066":       "user?gpj.exe?",
		"not \xff UTF-8 \xc3":           "not ? UTF-8 ?",
		"a\u2028b\u200cc  two":          "a?b\u200cc  two",
		"nul\x00 del\x7f \ufffd \ufeff": "nul? del? ? \ufeff",
	} {
		if got := Text(in); got != want {
			t.Errorf("Text(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestLine(t *testing.T) {
	for _, tt := range []struct {
		in   string
		max  int
		want string
	}{
		{" a \n\r\n\tb\u00a0\u2028c ", 0, "a b c"},
		{"\x1b[31mred\x1b[0m\n", 0, "?[31mred?[0m"},
		{"12345", 5, "12345"},
		{"123456", 5, "12..."},
		{"ää ää", 7, "ää..."},
		{"ää ää", 6, "ä..."},
		{"123456", 2, ".."},
		{"\u202e", 10, "?"},
	} {
		if got := Line(tt.in, tt.max); got != tt.want {
			t.Errorf("Line(%q, %d) = %q, want %q", tt.in, tt.max, got, tt.want)
		}
	}
}

func FuzzLine(f *testing.F) {
	f.Add("a\x1b[2J\n\xff b", 4)
	f.Fuzz(func(t *testing.T, s string, max int) {
		got := Line(s, max)
		if !utf8.ValidString(got) || strings.ContainsFunc(got, steers) || max > 0 && len(got) > max {
			t.Errorf("Line(%q, %d) = %q", s, max, got)
		}
		if text := Text(s); utf8.RuneCountInString(text) != utf8.RuneCountInString(s) || strings.ContainsFunc(text, steers) {
			t.Errorf("Text(%q) = %q", s, text)
		}
	})
}
