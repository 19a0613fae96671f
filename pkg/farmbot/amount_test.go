package farmbot

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "17": 17, "17B": 17, "1k": 1 << 10, "500MiB": 500 << 20, "500M": 500 << 20, "500 MB": 500 << 20, "1.5GiB": 3 << 29, "2T": 2 << 40} {
		got, err := ParseSize(text)
		if err != nil || got != want {
			t.Errorf("%q: got %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "G", "-1G", "NaN", "1e400", "Inf", "5%", "2 GiB of disk"} {
		if got, err := ParseSize(text); err == nil {
			t.Errorf("%q: got %d", text, got)
		}
	}
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1 << 10: "1 KiB", 3 << 29: "1.5 GiB", 5 << 40: "5 TiB"} {
		if got := Size(n); got != want {
			t.Errorf("%d: got %s, want %s", n, got, want)
		}
	}
}

func TestParseAmount(t *testing.T) {
	for _, tt := range []struct {
		text  string
		total int64
		want  int64
	}{{"5%", 1000, 50}, {"0%", 1000, 0}, {"2GiB", 1000, 2 << 30}, {"0", 1000, 0}} {
		a, err := ParseAmount(tt.text)
		if got := a.of(tt.total); err != nil || got != tt.want || !a.Given {
			t.Errorf("%s of %d: got %d, %v", tt.text, tt.total, got, err)
		}
		if again, err := ParseAmount(a.String()); err != nil || again.of(tt.total) != tt.want {
			t.Errorf("%s is written as %s", tt.text, a.String())
		}
	}
	for _, text := range []string{"%", "-1%", "100%", "NaN%", "x"} {
		if _, err := ParseAmount(text); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
	if got := DefaultFreeDisk(10 << 30); got != 10<<30/20 {
		t.Errorf("of a small disk %d", got)
	}
	if got := DefaultFreeDisk(1 << 40); got != 2<<30 {
		t.Errorf("of a large disk %d", got)
	}
}

func TestReadEnv(t *testing.T) {
	file := filepath.Join(t.TempDir(), "env")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("# ours\n\nCGO_ENABLED=0\r\nexport A=b c\n B=\"x=\"y\"\nC='$HOME'\nD=\n")
	got, err := ReadEnv(file)
	want := []string{"CGO_ENABLED=0", "A=b c", `B=x="y`, "C=$HOME", "D="}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v", got, err)
	}
	for text, reason := range map[string]string{
		"X=1\nsecret\n": ":2: there is no =", "=x": "no KEY=VALUE", "A B=secret": "has what no variable has",
		"GOBUILD_KEY_FILE=secret": "a setting of gobuild itself", "TMPDIR=secret": "what the buildlet sets", "A,B=secret": "has what no variable",
	} {
		write(text)
		if _, err := ReadEnv(file); err == nil || !strings.Contains(err.Error(), reason) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: error %v", text, err)
		}
	}
}

func TestLines(t *testing.T) {
	var got []string
	var to strings.Builder
	l := &lines{to: &to, line: func(s string) { got = append(got, s) }}
	long := strings.Repeat("x", maxReport+1)
	for _, part := range []string{"a", "b\r\nc\n", "\n", "d", long, long, "\ne", "\n"} {
		if n, err := l.Write([]byte(part)); n != len(part) || err != nil {
			t.Fatal(n, err)
		}
	}
	if want := []string{"ab", "c", "", "e"}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	if to.Len() != 2*len(long)+len("ab\r\nc\n\nd\ne\n") {
		t.Errorf("%d bytes were passed on", to.Len())
	}
}
