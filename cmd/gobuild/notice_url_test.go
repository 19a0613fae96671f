package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A webhook's address stays in its file, and out of errors.
func TestNoticeURL(t *testing.T) {
	write := func(text string) string {
		file := filepath.Join(t.TempDir(), "hook")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return "@" + file
	}
	const url = "https://hooks.example.com/s3cret"
	for _, tt := range []struct{ given, want, wrong string }{
		{"", "", ""},
		{url, url, ""},
		{write(url + "\r\n"), url, ""},
		{write(""), "", "is empty"},
		{write("ftp://hooks.example.com/s3cret"), "", "holds no URL"},
		{write("https://joe:s3cret@hooks.example.com/"), "", "holds no URL"},
		{write(strings.Repeat("s3cret", 10_000)), "", "holds no URL"},
		{"@" + filepath.Join(t.TempDir(), "none"), "", "none"},
		{"hooks.example.com", "", "--notify-url"},
	} {
		got, err := noticeURL(tt.given)
		if got != tt.want || (err == nil) != (tt.wrong == "") {
			t.Errorf("%.60s: %q, %v", tt.given, got, err)
		}
		if err != nil && (!strings.Contains(err.Error(), tt.wrong) || strings.Contains(err.Error(), "s3cret")) {
			t.Errorf("%.60s: %v", tt.given, err)
		}
	}
}
