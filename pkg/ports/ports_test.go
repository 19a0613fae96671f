package ports

import (
	"os/exec"
	"strings"
	"testing"

	"gobuild/pkg/hint"
)

// The list is the go command's, in its order.
func TestListIsGos(t *testing.T) {
	out, err := exec.Command("go", "tool", "dist", "list").Output()
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Fields(string(out))
	var got []string
	for _, p := range All() {
		got = append(got, p.GOOS+"/"+p.GOARCH)
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("the list is\n%v\nand go tool dist list says\n%v", got, want)
	}
}

func TestWorkers(t *testing.T) {
	if got := len(Workers()); got != 39 {
		t.Errorf("%d ports run a worker, want the 39 of Go 1.26", got)
	}
}

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		text, want string
		err, hint  string
	}{
		{text: "linux-riscv64", want: "linux-riscv64"},
		{text: "plan9/386", want: "plan9-386"},
		{text: "js-wasm", want: "js-wasm"},
		{text: "riscv64-linux", err: "behind the architecture", hint: "write linux-riscv64"},
		{text: "linux-risc64", err: "is no port of Go", hint: "did you mean linux-riscv64?"},
		{text: "Linux-AMD64", err: "is no port of Go", hint: "did you mean linux-amd64?"},
		{text: "linux-sparc64", err: "is no port of Go", hint: "go tool dist list"},
		{text: "linux", err: "is no port", hint: "GOOS-GOARCH"},
		{text: "", err: "is no port", hint: "GOOS-GOARCH"},
		{text: "linux-amd64-race", err: "is no port of Go"},
	} {
		got, err := Parse(tt.text)
		if tt.err == "" {
			if err != nil || got.String() != tt.want {
				t.Errorf("Parse(%q) = %v, %v", tt.text, got, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), tt.err) || !strings.Contains(hint.Of(err), tt.hint) {
			t.Errorf("Parse(%q): error %v, hint %q; want %q, %q", tt.text, err, hint.Of(err), tt.err, tt.hint)
		}
	}
}
