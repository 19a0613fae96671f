package coordinator

import (
	"encoding/json"
	"strings"
	"testing"

	"gobuild/pkg/api"
	"gobuild/pkg/buildconfig"
)

func TestPages(t *testing.T) {
	conf := buildconfig.Default()
	conf.Hosts[testType].ExpectNum = 3
	conf.Hosts[testType].Notes = "<b>bold</b> & brave"
	f := newFarm(t, Options{Config: conf})
	f.join("board", testType)
	f.create(f.client("joe"))
	for path, parts := range map[string][]string{
		"/":         {"Reverse pool summary", "Reverse pool machine detail", "board"},
		"/status":   {`id="pools"`, "gobuild test", "joe-linux-amd64-0", "working", "user-joe"},
		"/builders": {"Defined Builders", "Defined Host Types", `id="host-linux-amd64-localdev"`, "linux-amd64-localdev", "&lt;b&gt;bold", "Reverse (dedicated machine/VM)"},
	} {
		status, body := f.get(path)
		if status != 200 {
			t.Errorf("%s: %d", path, status)
		}
		for _, part := range parts {
			if !strings.Contains(body, part) {
				t.Errorf("%s has no %q", path, part)
			}
		}
	}
	for path, want := range map[string]int{"/healthz": 200, "/netcheck": 200, "/api/v1/version": 200, "/nowhere": 404, "/api/v1/nowhere": 404} {
		if status, body := f.get(path); status != want {
			t.Errorf("%s: %d %q, want %d", path, status, body, want)
		}
	}
}

// The JSON of the builders is in upstream's shape (build protocol, section
// 7.4).
func TestBuildersJSON(t *testing.T) {
	f := newFarm(t, Options{})
	_, body := f.get("/builders?mode=json")
	var got struct {
		Builders map[string]map[string]any
		Hosts    map[string]map[string]any
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	builder, host := got.Builders["linux-amd64-localdev"], got.Hosts["host-linux-amd64-localdev"]
	for _, field := range strings.Fields("Name HostType KnownIssues Notes CompileOnly FlakyNet RunBench MinimumGoVersion SkipSnapshot StopAfterMake InstallRacePackages GoDeps TestHostConf") {
		if _, ok := builder[field]; !ok {
			t.Errorf("a builder has no field %s", field)
		}
		delete(builder, field)
	}
	for _, field := range strings.Fields("HostType HostArch GoBootstrap VMImage ContainerImage IsReverse RegularDisk MinCPUPlatform IsEC2 CustomDeleteTimeout ExpectNum HermeticReverse GoogleReverse NestedVirt KonletVMImage Owners Notes SSHUsername RootDriveSizeGB") {
		if _, ok := host[field]; !ok {
			t.Errorf("a host has no field %s", field)
		}
		delete(host, field)
	}
	if len(builder) > 0 || len(host) > 0 {
		t.Errorf("more than upstream's fields: %v, %v", builder, host)
	}
}

func TestTwinsAreNamed(t *testing.T) {
	f := newFarm(t, Options{})
	f.join("board", testType)
	f.join("board", "host-linux-arm64")
	f.await("both are there", func() bool { return len(f.pool.snapshot().Hosts) == 2 })
	hosts := f.pool.snapshot().Hosts
	if len(hosts[0].Twins) != 1 || hosts[0].Twins[0] != hosts[1].Addr || len(hosts[1].Twins) != 1 {
		t.Errorf("twins: %+v", hosts)
	}
	_, body := f.get("/status")
	if !strings.Contains(body, "Another machine with this host name is connected from "+hosts[1].Addr) {
		t.Errorf("the page does not say so")
	}
	var pool api.Pool
	_, body = f.get("/api/v1/hosts")
	if err := json.Unmarshal([]byte(body), &pool); err != nil || len(pool.Hosts) != 2 {
		t.Errorf("API: %+v, %v", pool, err)
	}
}
