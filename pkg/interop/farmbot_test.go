package interop

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"gobuild/pkg/api"
	"gobuild/pkg/netdial/dialtest"
)

// Upstream's buildlet works under our run-bot: its state is told from its log,
// and it is ended for a pause, as it cannot tell the coordinator.
func TestUpstreamBuildletUnderRunBot(t *testing.T) {
	addr, env := devFarm(t)
	upstream := filepath.Join(bin, "buildlet")
	dir := filepath.Join(t.TempDir(), "bot")
	p := start(t, env, "gobuild", "run-bot", "--dev", "--host-type="+hostType, "--hostname=board", "--coordinator="+addr,
		"--workdir="+dir, "--buildlet="+upstream, "--min-free-disk=0", "--retry-min=100ms")
	if h := idle(t, env, "board"); h.Program != "" {
		t.Errorf("in the pool: %+v", h)
	}
	owner := func(args ...string) string {
		t.Helper()
		r := run(t, env, "", "gobuild", append(args, "--workdir="+dir)...)
		if r.code != 0 {
			t.Errorf("%q: exit code %d: %s", args, r.code, r.stderr)
		}
		return r.stdout
	}
	waitFor(t, "run-bot knows that it is idle", func() bool { return strings.Contains(owner("status", "--local"), "idle for") })
	if r := run(t, env, "", "gobuild", "gomote", "--dev", "create", builderType); r.code != 0 {
		t.Fatalf("create: %s", r.stderr)
	} else {
		name := strings.TrimSpace(r.stdout)
		if r := run(t, env, "", "gobuild", "gomote", "--dev", "run", "-system", name, "/bin/echo", "hello"); r.code != 0 || !strings.Contains(r.stdout, "hello") {
			t.Errorf("run: %+v", r)
		}
		if r := run(t, env, "", "gobuild", "gomote", "--dev", "destroy", name); r.code != 0 {
			t.Errorf("destroy: %s", r.stderr)
		}
	}
	owner("pause")
	waitFor(t, "the machine has left the pool", func() bool { return len(pool(t, env).Hosts) == 0 })
	if text := owner("status", "--local"); !strings.Contains(text, "paused for") {
		t.Errorf("status: %s", text)
	}
	owner("resume")
	idle(t, env, "board")
	owner("drain", "--wait")
	<-p.ended
}

// Run-bot fetches its buildlet from our coordinator, takes a newer one when
// that is published, and goes back from one that is no good.
func TestRunBotUpdates(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	env := []string{"XDG_CACHE_HOME=" + t.TempDir(), "HOME=" + t.TempDir(), "GOBUILD_USER=joe"}
	must := func(args ...string) {
		t.Helper()
		if r := run(t, env, "", "gobuild", args...); r.code != 0 {
			t.Fatalf("%q: exit code %d: %s", args, r.code, r.stderr)
		}
	}
	program, err := os.ReadFile(filepath.Join(bin, "gobuild"))
	if err != nil {
		t.Fatal(err)
	}
	publish := func(version string, content []byte) {
		t.Helper()
		file := filepath.Join(path(version), "buildlet."+runtime.GOOS+"-"+runtime.GOARCH)
		if err := os.Mkdir(path(version), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, content, 0o755); err != nil {
			t.Fatal(err)
		}
		must("release", "publish", "--key", path("release.key"), "--dir", path("dl"), "--version", version, file)
	}
	if err := os.Mkdir(path("dl"), 0o755); err != nil {
		t.Fatal(err)
	}
	must("release", "keygen", "--no-password", path("release.key"))
	publish("1.0.1", program)
	addr := dialtest.FreeAddr(t)
	env = append(env, "GOBUILD_COORDINATOR=https://"+addr)
	start(t, env, "gobuild", "coordinator", "--dev", "--listen="+addr, "--dl="+path("dl")).await("serving")
	p := start(t, env, "gobuild", "run-bot", "--dev", "--host-type="+hostType, "--hostname=board", "--coordinator="+addr,
		"--workdir="+path("bot"), "--update-url=auto", "--release-key="+path("release.key.pub"), "--update-every=1s", "--register-within=20s",
		"--min-free-disk=0", "--retry-min=100ms", "--retry-max=200ms")
	first := idle(t, env, "board")
	publish("1.0.2", append(append([]byte{}, program...), 0))
	var second api.Host
	waitFor(t, "the newer one is in the pool", func() bool {
		for _, second = range pool(t, env).Hosts {
			if second.State == api.HostIdle && second.Connected.After(first.Connected) && strings.Contains(p.text(), "another buildlet: 1.0.2") {
				return true
			}
		}
		return false
	})
	bad, err := os.ReadFile("/bin/true")
	if err != nil {
		t.Fatal(err)
	}
	publish("1.0.3", bad)
	p.await("the buildlet before was put back")
	waitFor(t, "the one before is in the pool", func() bool {
		for _, h := range pool(t, env).Hosts {
			if h.State == api.HostIdle && h.Connected.After(second.Connected) {
				return true
			}
		}
		return false
	})
}
