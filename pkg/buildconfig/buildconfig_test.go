package buildconfig

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The default set has every port that the go command knows and a worker can
// be built for, and no other.
func TestDefaultHasEveryPort(t *testing.T) {
	out, err := exec.Command("go", "tool", "dist", "list").Output()
	if err != nil {
		t.Fatalf("go tool dist list: %v", err)
	}
	want := map[string]bool{LocalBuilder: true}
	for port := range strings.FieldsSeq(string(out)) {
		goos, _, _ := strings.Cut(port, "/")
		switch goos {
		case "js", "wasip1", "android", "ios":
		default:
			want[strings.Replace(port, "/", "-", 1)] = true
		}
	}
	got := map[string]bool{}
	for _, name := range Default().BuilderNames() {
		got[name] = true
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("builder types (-ports +default):\n%s", diff)
	}
}

func TestDefaultIsValid(t *testing.T) {
	c := Default()
	if err := c.check(); err != nil {
		t.Error(err)
	}
	if got := c.Hosts["host-linux-arm"].HostArch; got != "linux-arm-7" {
		t.Errorf("HostArch of host-linux-arm = %q, want linux-arm-7", got)
	}
}

func TestReadBackDefault(t *testing.T) {
	text, err := json.Marshal(Default())
	if err != nil {
		t.Fatal(err)
	}
	got, err := Read(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Default(), got); diff != "" {
		t.Error(diff)
	}
}

func TestReadRefuses(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"not JSON", `package dashboard`, "invalid character"},
		{"unknown field", `{"Hosts":{"host-a-b":{"Hosttypo":1}}}`, "Hosttypo"},
		{"other host type", `{"Hosts":{"host-a-b":{"HostType":"host-c-d"}}}`, "host-c-d"},
		{"no arch", `{"Hosts":{"foo":{}}}`, "HostArch is missing"},
		{"null host", `{"Hosts":{"host-a-b":null}}`, "no description"},
		{"null builder", `{"Builders":{"a-b":null}}`, "no description"},
		{"unknown host", `{"Builders":{"a-b":{"HostType":"host-a-b"}}}`, "unknown host type"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := Read(strings.NewReader(tt.in)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}
