package hint

import "testing"

func TestNearest(t *testing.T) {
	known := []string{"linux-amd64", "linux-arm64", "freebsd-amd64", "get", "put"}
	for _, tt := range []struct{ name, want string }{
		{"linux-amd46", "linux-amd64"},
		{"linx-amd64", "linux-amd64"},
		{"linux-amd64", "linux-amd64"},
		{"windows-386", ""},
		{"gte", "get"}, // two letters changed places
		{"tge", ""},    // two of three letters differ
		{"FREEBSD-amd64", "freebsd-amd64"},
		{"gets", "get"},
		{"", ""},
		{"x", ""},
	} {
		if got := Nearest(tt.name, known); got != tt.want {
			t.Errorf("Nearest(%q) = %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestSole(t *testing.T) {
	known := []string{"host-linux-amd64-clang", "host-darwin-11", "host-darwin-12", "abcde1", "abcdf1"}
	for _, tt := range []struct{ name, want string }{
		{"host-linux-amd64-clnag", "host-linux-amd64-clang"},
		{"host-linux-amd46-clang", ""}, // digits differ
		{"host-darwin-13", ""},
		{"abcdg1", ""}, // two are as near
		{"host-linux-amd64-bullseye", ""},
	} {
		if got := Sole(tt.name, known); got != tt.want {
			t.Errorf("Sole(%q) = %q, want %q", tt.name, got, tt.want)
		}
	}
}
