package main

import (
	"strings"
	"testing"
)

func TestPrintTable(t *testing.T) {
	rows := [][]string{
		{"linux-amd64", "host-1", "idle"},
		{"plan9-386", "höst-22", ""},
		{"x", "evil\x1b[2J\n", "\xff\ttab"},
	}
	a, stdout, _ := testApp()
	if err := a.printTable([]string{"TYPE", "HOST", "STATE"}, rows); err != nil {
		t.Fatal(err)
	}
	want := strings.Join([]string{
		"TYPE         HOST       STATE",
		"linux-amd64  host-1     idle",
		"plan9-386    höst-22",
		"x            evil?[2J?  ? tab",
		"",
	}, "\n")
	if got := stdout.String(); got != want {
		t.Errorf("plain table:\n%s\nwant:\n%s", got, want)
	}

	a, stdout, _ = testApp()
	a.isTerminal = func(any) bool { return true }
	if err := a.printTable([]string{"TYPE", "HOST", "STATE"}, rows); err != nil {
		t.Fatal(err)
	}
	if got := stdout.String(); !strings.Contains(got, "\x1b[") || strings.Contains(got, "\x1b[2J") {
		t.Errorf("table on a terminal: %q, want styles, and none of the cells' own", got)
	}
}

func TestPrintTableEmpty(t *testing.T) {
	a, stdout, _ := testApp()
	if err := a.printTable([]string{"TYPE", "HOST"}, nil); err != nil {
		t.Fatal(err)
	}
	if got := stdout.String(); got != "TYPE  HOST\n" {
		t.Errorf("%q, want the header line", got)
	}
}

func TestPrintJSON(t *testing.T) {
	a, stdout, _ := testApp()
	if err := a.printJSON(map[string]string{"a": "<b>"}); err != nil {
		t.Fatal(err)
	}
	if got, want := stdout.String(), "{\n  \"a\": \"<b>\"\n}\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
