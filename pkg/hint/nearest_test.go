package hint

import "testing"

func TestNearest(t *testing.T) {
	known := []string{"linux-amd64", "linux-arm64", "freebsd-amd64", "get", "put"}
	for _, tt := range []struct{ name, want string }{
		{"linux-amd46", "linux-amd64"},
		{"linx-amd64", "linux-amd64"},
		{"linux-amd64", "linux-amd64"},
		{"windows-386", ""},
		{"gte", ""}, // two of three letters differ
		{"gets", "get"},
		{"", ""},
		{"x", ""},
	} {
		if got := Nearest(tt.name, known); got != tt.want {
			t.Errorf("Nearest(%q) = %q, want %q", tt.name, got, tt.want)
		}
	}
}
