package doctor

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gobuild/pkg/ports"
)

// contains reports whether text matches a regular expression.
func contains(text, expr string) bool { return regexp.MustCompile(expr).MatchString(text) }

// sampleReport has a finding of each kind.
func sampleReport() Report {
	return Report{
		Time:     time.Date(2026, 9, 28, 12, 0, 0, 0, time.UTC),
		Hostname: "linux-riscv64-joe",
		Port:     "linux-riscv64",
		Version:  "1.2.3",
		For:      TargetLUCI,
		home:     "/home/joe",
		Findings: []Finding{
			{Check: "cpus", Group: groupMachine, Title: "CPUs", State: OK, Found: "4", Wanted: "2 or more", Section: fromWiki},
			{Check: "memory", Group: groupMachine, Title: "memory", State: Warn, Found: "600 MiB: limit of cgroup /user.slice; physical 3.8 GiB; no swap", Wanted: "512 MiB, better 1 GiB or more",
				Remedy: "raise the limit of cgroup /user.slice; until then a small GOGC in the worker's environment, such as GOGC=50, avoids thrashing", Section: fromWiki},
			{Check: "files", Group: groupMachine, Title: "open files", State: Unknown, Found: "cannot be measured on plan9-arm", Wanted: "1024 or more for a process"},
			{Check: "home", Group: groupSystem, Title: "home directory", State: Fail, Found: "/home/joe is the work directory", Wanted: "set, there, and not the work directory",
				Remedy: "give a directory below it with --workdir: the Swarming bot quarantines itself in a home directory", Section: fromQuarantine},
			{Check: "builder-key", Group: groupIdentity, Title: "builder key", State: Skip, Found: "not asked for"},
			{Check: "reach/cipd", Group: groupNetwork, Title: "CIPD packages", State: Fail, Found: "chrome-infra-packages.appspot.com: no such host (after 1.0ms)", Wanted: "an answer", Remedy: "look there"},
			{Check: "reach/rbe", Group: groupNetwork, Title: "remote execution", State: Fail, Found: "remotebuildexecution.googleapis.com: no such host (after 1.0ms)", Wanted: "an answer", Remedy: "look there"},
			{Check: "whoami", Group: groupIdentity, Title: "key at the farm", State: Skip, Found: "not asked for"},
		},
	}
}

func TestReportTexts(t *testing.T) {
	r := sampleReport()
	style := func(part Part, text string) string { return "<" + string(part) + ":" + text + ">" }
	for name, text := range map[string]string{
		"plain.txt":  r.Plain(),
		"wide80.txt": r.Text(Layout{Width: 80}),
		"narrow.txt": r.Text(Layout{Width: 10}),
		"styled.txt": r.Text(Layout{Width: 120, Style: style, Sections: true}),
		"empty.txt":  Report{Hostname: "vm", Port: "linux-amd64"}.Text(Layout{}),
	} {
		golden(t, name, text)
	}
	for line := range strings.Lines(r.Text(Layout{Width: 80})) {
		if len(line) > 81 {
			t.Errorf("a line is wider than 80: %q", line)
		}
	}
}

func golden(t *testing.T, name, text string) {
	t.Helper()
	file := filepath.Join("testdata", "report", name)
	if *update {
		put(t, file, text, 0o644)
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if text != string(want) {
		t.Errorf("%s differs (-update writes it anew); got:\n%s", name, text)
	}
}

func TestReportJSON(t *testing.T) {
	out, err := json.Marshal(sampleReport())
	if err != nil {
		t.Fatal(err)
	}
	var back map[string]any
	if err := json.Unmarshal(out, &back); err != nil {
		t.Fatal(err)
	}
	for _, field := range []string{"time", "hostname", "port", "version", "for", "findings"} {
		if back[field] == nil {
			t.Errorf("no field %q in %s", field, out)
		}
	}
	if len(back) != 6 {
		t.Errorf("%d fields in %s", len(back), out)
	}
}

// TestTargets checks which checks are done for whom, and that what is not
// known to matter fails nothing.
func TestTargets(t *testing.T) {
	for _, tt := range []struct {
		name   string
		o      Options
		python State // on a machine without it
		key    State
	}{
		{"nothing configured", Options{}, Warn, Skip},
		{"luci", Options{For: TargetLUCI}, Fail, Skip},
		{"luci by its settings", Options{Backend: "b"}, Fail, Skip},
		{"coordinator", Options{For: TargetCoordinator}, Skip, Warn},
		{"coordinator by its settings", Options{Coordinator: "https://farm.example"}, Skip, Warn},
		{"both by their settings", Options{CertPEM: "x", HostType: "host-linux-x"}, Fail, Fail},
		{"coordinator, though LUCI is configured", Options{For: TargetCoordinator, CertPEM: "x"}, Skip, Warn},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("PATH", t.TempDir())
			t.Setenv("HOME", t.TempDir())
			tt.o.Offline = true
			tt.o.Only = []string{"python", "builder-key"}
			r := Run(within(t), tt.o)
			if len(r.Findings) != 2 || r.Findings[0].State != tt.python || r.Findings[1].State != tt.key {
				t.Errorf("got %+v\nwant python %s, builder key %s", r.Findings, tt.python, tt.key)
			}
			if r.Failed() != (tt.python == Fail || tt.key == Fail) {
				t.Errorf("Failed() is %v", r.Failed())
			}
		})
	}
}

// TestRunEndsInTime has a check that does not answer, with one that does.
func TestRunEndsInTime(t *testing.T) {
	block := make(chan struct{})
	defer close(block)
	saved := checks
	defer func() { checks = saved }()
	checks = []check{
		{id: "deaf", title: "deaf", run: func(*exam, context.Context) []Finding { <-block; return one(ok("")) }},
		{id: "quick", title: "quick", run: func(*exam, context.Context) []Finding { return one(ok("here")) }},
	}
	var running [][]string
	start := time.Now()
	r := Run(t.Context(), Options{Timeout: 50 * time.Millisecond, Progress: func(titles []string) { running = append(running, titles) }})
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("it took %s", took)
	}
	compare(t, r.Findings, expect{Unknown, "no answer within 50ms", "waits for"}, expect{OK, "here", ""})
	if len(running) != 2 || !slices.Equal(running[0], []string{"deaf"}) || len(running[1]) != 0 {
		t.Errorf("progress %v", running)
	}
}

// TestHere runs every check on this machine, without the network.
func TestHere(t *testing.T) {
	r := Run(within(t), Options{For: TargetLUCI, Offline: true, WorkDir: t.TempDir(), Port: ownPort()})
	var ids []string
	for _, f := range r.Findings {
		if f.Found == "" || f.Title == "" || f.Group == "" {
			t.Errorf("incomplete: %+v", f)
		}
		if f.State != OK && f.State != Skip && f.Remedy == "" {
			t.Errorf("no remedy: %+v", f)
		}
		if f.State != Skip && f.Wanted == "" {
			t.Errorf("nothing wanted: %+v", f)
		}
		if f.State == Unknown && ownPort() == "linux-amd64" && f.Check != "reboot" {
			t.Errorf("unknown on linux-amd64: %+v", f)
		}
		ids = append(ids, f.Check)
	}
	for _, id := range Checks() {
		if !slices.Contains(ids, id) {
			t.Errorf("no finding of %s", id)
		}
	}
}

func TestChecksAreDistinct(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range checks {
		if seen[c.id] || seen[c.title] || c.group == "" || c.title == "" {
			t.Errorf("check %q is there twice or incomplete", c.id)
		}
		seen[c.id], seen[c.title] = true, true
	}
}

func TestPort(t *testing.T) {
	own := ownPort()
	p, err := ports.Parse(own)
	if err != nil || p.GOARCH != "amd64" || p.GOOS != "linux" {
		t.Skip("the cases are those of linux-amd64")
	}
	for _, tt := range []struct {
		port, kernel, userland string
		want                   expect
	}{
		{"", "x86_64", "amd64", expect{OK, "^linux-amd64; the kernel says x86_64, /bin/sh is for amd64$", ""}},
		{own, "x86_64", "amd64", expect{OK, own, ""}},
		{"", "", "", expect{OK, "^linux-amd64$", ""}},
		{"linux-arm64", "x86_64", "", expect{Fail, "this gobuild is for linux-amd64", "install gobuild for linux-arm64"}},
		{"linux-sparc64", "x86_64", "", expect{Warn, "configured: .*linux-sparc64.* is no port", "yet to get"}},
		{"", "aarch64", "arm64", expect{Warn, "the kernel says aarch64", "emulation; .*linux-arm64"}},
		{"", "unheard-of", "", expect{OK, "unheard-of", ""}},
	} {
		e := examine(t, Options{Port: tt.port})
		compare(t, one(e.judgePort("amd64", tt.kernel, tt.userland)), tt.want)
	}
	// A 32-bit program on a 64-bit kernel.
	compare(t, one(examine(t, Options{}).judgePort("386", "x86_64", "amd64")), expect{Warn, "", "meant to be linux-amd64"})
	compare(t, one(examine(t, Options{}).judgePort("386", "x86_64", "386")), expect{OK, "", ""})
	for _, tt := range []struct {
		own, kernel, userland string
		want                  expect
	}{
		// Kernels of MIPS do not name the byte order.
		{"mips", "mips", "mips", expect{OK, "", ""}},
		{"mipsle", "mips", "mipsle", expect{OK, "", ""}},
		{"mipsle", "mips", "", expect{OK, "", ""}},
		{"mipsle", "mips64", "mipsle", expect{OK, "", ""}},
		{"mipsle", "mips64", "mips64le", expect{Warn, "", "meant to be linux-mips64le,"}},
		{"mips64le", "mips64", "mips64le", expect{OK, "", ""}},
		{"mips64", "mips64", "mips", expect{OK, "", ""}},
		{"mips", "mips64", "mips64", expect{Warn, "", "meant to be linux-mips64,"}},
		// QEMU has the kernel say what it emulates.
		{"mips", "mips", "amd64", expect{Warn, "", "emulation; .*linux-amd64"}},
		{"arm64", "aarch64", "amd64", expect{Warn, "", "emulation; .*linux-amd64"}},
		// A 64-bit program with a 32-bit userland.
		{"arm64", "aarch64", "arm", expect{OK, "", ""}},
		{"ppc64", "ppc64", "ppc", expect{OK, "", ""}},
	} {
		compare(t, one(examine(t, Options{}).judgePort(tt.own, tt.kernel, tt.userland)), tt.want)
	}
	if got := elfArch("/proc/self/exe"); got != "amd64" {
		t.Errorf("this test is for %q", got)
	}
}
