package buildconfig

import (
	"slices"
	"strings"
	"testing"
)

// frame is a builders.go but for its tables.
const frame = `package dashboard
import "os"
type HostConfig struct {
	HostType, HostArch, VMImage, SSHUsername string
	IsReverse bool
	ExpectNum int
	env []string
	Owners []*Person
}
type Person struct{ Name string }
type BuildConfig struct {
	Name, HostType string
	KnownIssues []int
	FlakyNet bool
	env []string
	newer map[string]int
}
var Builders = map[string]*BuildConfig{}
func addBuilder(b BuildConfig) {
	if Hosts[b.HostType] == nil { panic("no host type " + b.HostType) }
	Builders[b.Name] = &b
}
`

func TestConfig(t *testing.T) {
	src, err := ReadSource("builders.go", []byte(frame+`
var Hosts = map[string]*HostConfig{
	"host-linux-arm": {IsReverse: true, ExpectNum: 2, SSHUsername: os.Getenv("USER"), env: []string{"A=1"}, Owners: []*Person{{"Joe"}}},
}
func init() {
	addBuilder(BuildConfig{Name: "linux-arm-longtest", HostType: "host-linux-arm", KnownIssues: []int{1, 2}, FlakyNet: true, env: []string{"A=2"}})
	if os.Getenv("MORE") != "" {
		addBuilder(BuildConfig{Name: "linux-arm", HostType: "host-linux-arm"})
	}
}
`))
	if err != nil {
		t.Fatal(err)
	}
	c, err := src.Config()
	if err != nil {
		t.Fatal(err)
	}
	h, b := c.Hosts["host-linux-arm"], c.Builders["linux-arm-longtest"]
	if h == nil || h.HostArch != "linux-arm-7" || !h.IsReverse || h.ExpectNum != 2 || h.SSHUsername != "" || len(h.Owners) != 1 || h.Owners[0].Name != "Joe" {
		t.Errorf("host type %+v", h)
	}
	want := []string{"GO_BUILDER_NAME=linux-arm-longtest", "GO_BUILDER_FLAKY_NET=1", "GO_TEST_SHORT=0", "A=1", "A=2"}
	if b == nil || !slices.Equal(b.KnownIssues, []int{1, 2}) || !slices.Equal(b.Env(), want) {
		t.Errorf("builder type %+v with %q", b, b.Env())
	}
	if len(c.Builders) != 1 {
		t.Errorf("builder types %q: what may not be there is left out", c.BuilderNames())
	}
}

func TestConfigRefuses(t *testing.T) {
	for _, tt := range []struct{ name, body, want string }{
		{"syntax", "var Hosts = map[string]*HostConfig{", "expected"},
		{"panic", `var Hosts = map[string]*HostConfig{}; func init() { addBuilder(BuildConfig{Name: "a-b", HostType: "x"}) }`, "it panics when it starts: no host type x"},
		{"open table", `var Hosts = map[string]*HostConfig{os.Getenv("H"): {}}`, "Hosts may have other entries"},
		{"unknown field", `var Hosts = map[string]*HostConfig{"host-a-b": {IsReverse: os.Getenv("R") != ""}}`, "field IsReverse cannot be known"},
		{"no architecture", `var Hosts = map[string]*HostConfig{"odd": {IsReverse: true}}`, "HostArch is missing"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			src, err := ReadSource("builders.go", []byte(frame+tt.body))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := src.Config(); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}

// Whatever the text is, reading ends, and what was read can be shown.
func FuzzReadSource(f *testing.F) {
	f.Add(frame + `var Hosts = map[string]*HostConfig{"host-linux-arm": {IsReverse: true}}; func init() { for _, s := range []string{"", "-race"} { addBuilder(BuildConfig{Name: "linux-arm" + s, HostType: "host-linux-arm"}) } }`)
	f.Add(frame + `var Hosts = map[string]*HostConfig{"a": nil, "": {}, "host-x": {env: nil}}; var slowBotAliases = map[string]string{"a": "b", os.Getenv("X"): "c"}`)
	f.Add("package p; var Hosts, Builders = 1, func() {}; var slowBotAliases = Hosts")
	f.Fuzz(func(t *testing.T, text string) {
		src, err := ReadSource("builders.go", []byte(text))
		if err != nil {
			return
		}
		src.Dump()
		src.Config()
		for _, b := range src.Builders {
			src.Environ(b)
			src.Target(b)
			src.Builds(b, "go", "master", "master")
			src.Tries(b, "go", "master", "master")
		}
	})
}
