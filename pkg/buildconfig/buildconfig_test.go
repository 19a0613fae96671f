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

// What Read accepts, it can read again, and its pages can show.
func FuzzRead(f *testing.F) {
	text, err := json.Marshal(Default())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"Hosts":{"host-a-b":{"Owners":[null]}},"Builders":{"a-b":{"HostType":"host-a-b"}}}`))
	f.Add([]byte(`{"Builders":{"a":null},"Hosts":null}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := Read(bytes.NewReader(text))
		if err != nil {
			return
		}
		for _, name := range c.BuilderNames() {
			if b := c.Builders[name]; c.Hosts[b.HostType] == nil || len(b.Env()) == 0 {
				t.Errorf("builder %q has no host", name)
			}
		}
		for _, name := range c.HostTypes() {
			if h := c.Hosts[name]; h.HostType != name || h.PoolName() == "" {
				t.Errorf("host %q: %+v", name, h)
			}
			for _, p := range c.Hosts[name].Owners {
				if p == nil {
					t.Errorf("host %q has an owner that is nobody", name)
				}
			}
		}
		again, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Read(bytes.NewReader(again)); err != nil {
			t.Errorf("not read again: %v", err)
		}
	})
}
