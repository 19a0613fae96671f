package main

import "testing"

func TestSuggest(t *testing.T) {
	known := []string{"version", "completion", "coordinator", "ls"}
	for _, tt := range []struct{ word, want string }{
		{"vesion", "version"},
		{"comp", "completion"},
		{"co", ""}, // two begin so
		{"coordinater", "coordinator"},
		{"frobnicate", ""},
		{"", ""},
	} {
		if got := suggest(tt.word, known); got != tt.want {
			t.Errorf("suggest(%q) = %q, want %q", tt.word, got, tt.want)
		}
	}
}
