package interop

import (
	"bytes"
	"crypto/rand"
	"crypto/sha1"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"gobuild/pkg/api"
	"gobuild/pkg/netdial/dialtest"
)

const (
	hostType    = "host-linux-amd64-localdev"
	builderType = "linux-amd64-localdev"
)

// devFarm starts a coordinator --dev and returns its address and what its
// users have in their environment.
func devFarm(t testing.TB) (addr string, env []string) {
	t.Helper()
	env = []string{"XDG_CACHE_HOME=" + t.TempDir(), "HOME=" + t.TempDir(), "GOBUILD_USER=joe"}
	p := start(t, env, "gobuild", "coordinator", "--dev", "--listen=127.0.0.1:0")
	p.await("serving")
	m := regexp.MustCompile(`url=https://(\S+)`).FindStringSubmatch(p.text())
	if m == nil {
		t.Fatalf("no address in the coordinator's log:\n%s", p.text())
	}
	return m[1], append(env, "GOBUILD_COORDINATOR=https://"+m[1])
}

// pool returns the reverse pool as gobuild status shows it.
func pool(t testing.TB, env []string) (p api.Pool) {
	t.Helper()
	r := run(t, env, "", "gobuild", "status", "--dev", "--json")
	if err := json.Unmarshal([]byte(r.stdout), &p); err != nil || r.code != 0 {
		t.Fatalf("gobuild status: %v, exit code %d: %s", err, r.code, r.stderr)
	}
	return p
}

// idle waits until a machine called hostname is idle in the pool.
func idle(t testing.TB, env []string, hostname string) (host api.Host) {
	t.Helper()
	waitFor(t, hostname+" is idle in the pool", func() bool {
		for _, h := range pool(t, env).Hosts {
			if h.Hostname == hostname && h.State == api.HostIdle {
				host = h
				return true
			}
		}
		return false
	})
	return host
}

// Upstream's buildlet registers with our coordinator, and gomote works on it.
func TestUpstreamBuildlet(t *testing.T) {
	addr, env := devFarm(t)
	work := t.TempDir()
	p := start(t, nil, "buildlet", "-coordinator="+addr, "-reverse-type="+hostType, "-hostname=board",
		"-workdir="+work, "-health-addr="+dialtest.FreeAddr(t), "-halt=false", "-reboot=false")
	p.await("reverse dialing active")
	if h := idle(t, env, "board"); h.Version != "29" || h.Program != "" || h.HostType != hostType {
		t.Errorf("in the pool: %+v", h)
	}
	gomoteSession(t, env, work, false)
	select {
	case <-p.ended:
		t.Error("upstream's buildlet has ended")
	default:
	}
}

// The same with our own buildlet, as the same commands are to work on both.
func TestOwnBuildlet(t *testing.T) {
	addr, env := devFarm(t)
	work := t.TempDir()
	start(t, env, "gobuild", "buildlet", "--dev", "-coordinator="+addr, "-reverse-type="+hostType, "-hostname=board",
		"-workdir="+work, "-health-addr=", "-halt=false", "-reboot=false")
	if h := idle(t, env, "board"); h.Version != "29" || !strings.HasPrefix(h.Program, "gobuild ") {
		t.Errorf("in the pool: %+v", h)
	}
	gomoteSession(t, env, work, true)
}

// gomoteSession does everything that gobuild gomote can with an instance on
// the machine whose work directory is work.
func gomoteSession(t *testing.T, env []string, work string, own bool) {
	t.Helper()
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	gomote := func(args ...string) result {
		t.Helper()
		return run(t, env, "", "gobuild", append([]string{"gomote", "--dev"}, args...)...)
	}
	good := func(args ...string) string {
		t.Helper()
		r := gomote(args...)
		if r.code != 0 {
			t.Fatalf("gobuild gomote %s: exit code %d: %s", strings.Join(args, " "), r.code, r.stderr)
		}
		return r.stdout
	}

	id := strings.TrimSpace(good("create", builderType))
	if id != "joe-linux-amd64-localdev-0" {
		t.Errorf("instance %q", id)
	}
	if list := good("list"); !strings.HasPrefix(list, id+"\t"+builderType+"\t"+hostType+"\texpires in ") {
		t.Errorf("list: %q", list)
	}
	if got := good("ping", id); got != id+": alive\n" {
		t.Errorf("ping: %q", got)
	}

	r := gomote("run", "-e", "GREETING=hello", "-system", id, "sh", "-c", "echo $GREETING $GO_BUILDER_NAME; pwd; echo oops >&2; exit 42")
	if want := "hello " + builderType + "\n" + work + "\noops\n"; r.code != 42 || r.stdout != want {
		t.Errorf("run: exit code %d, %q, want 42, %q (%s)", r.code, r.stdout, want, r.stderr)
	}
	if r := gomote("run", id, "/bin/sh", "-c", "kill -9 $$"); r.code != 137 {
		t.Errorf("killed command: exit code %d, want 137 (%s)", r.code, r.stderr)
	}
	if r := gomote("run", id, "no-such-program"); r.code != 127 || !strings.Contains(r.stderr, "not found") {
		t.Errorf("missing program: exit code %d, %s", r.code, r.stderr)
	}
	if r := gomote("run", id, "/no/such/program"); r.code != 127 || !strings.Contains(r.stderr, "no such file") {
		t.Errorf("missing program by path: exit code %d, %s", r.code, r.stderr)
	}
	if r := gomote("run", "-path", "EMPTY", id, "/bin/sh", "-c", `echo "[$PATH]"`); r.stdout != "[]\n" {
		t.Errorf("-path EMPTY: %q", r.stdout)
	}
	r = run(t, env, "line\n", "gobuild", "gomote", "--dev", "run", "-stdin", id, "/bin/cat")
	switch {
	case own && (r.code != 0 || r.stdout != "line\n"):
		t.Errorf("-stdin: exit code %d, %q, %s", r.code, r.stdout, r.stderr)
	case !own && (r.code != 1 || !strings.Contains(r.stderr, "standard input")):
		t.Errorf("-stdin with upstream's buildlet: exit code %d, %s", r.code, r.stderr)
	}

	data := make([]byte, 2<<20)
	rand.Read(data)
	if err := os.WriteFile(path("data"), data, 0o751); err != nil {
		t.Fatal(err)
	}
	good("put", id, path("data"), "in/data")
	if got, err := os.ReadFile(filepath.Join(work, "in/data")); err != nil || !bytes.Equal(got, data) {
		t.Errorf("put: %v", err)
	}
	good("get", id, "in/data", path("back"))
	info, err := os.Stat(path("back"))
	if got, _ := os.ReadFile(path("back")); err != nil || !bytes.Equal(got, data) || info.Mode().Perm() != 0o751 {
		t.Errorf("get: %d bytes, %v", len(got), err)
	}
	if r := gomote("get", id, "in/none", path("none")); r.code != 1 || !strings.Contains(r.stderr, "in/none") {
		t.Errorf("get of nothing: exit code %d, %s", r.code, r.stderr)
	}

	archive := makeTar(t, time.Now(), map[string][]byte{"x/one": []byte("1"), "x/two": []byte("22")})
	if err := os.WriteFile(path("x.tar.gz"), archive, 0o644); err != nil {
		t.Fatal(err)
	}
	good("puttar", "-dir", "tree", id, path("x.tar.gz"))
	want := "\tone\t1\t" // then the time
	listing := good("ls", "-R", "-d", id, "tree/x")
	if !strings.Contains(listing, want) || !strings.Contains(listing, fmt.Sprintf("\t%x\n", sha1.Sum([]byte("22")))) {
		t.Errorf("ls: %q", listing)
	}
	good("gettar", "-dir", "tree", "-o", path("y.tar.gz"), id)
	f, err := os.Open(path("y.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if files := readTar(t, f); string(files["x/one"]) != "1" || string(files["x/two"]) != "22" || len(files) != 2 {
		t.Errorf("gettar: %q", files)
	}
	if r := gomote("puttar", id, path("data")); r.code != 1 || !strings.Contains(r.stderr, "gzip") {
		t.Errorf("puttar of no archive: exit code %d, %s", r.code, r.stderr)
	}

	good("rm", id, "tree", "in")
	if listing := good("ls", "-skip", "tmp,gocache,goplscache", id); strings.Contains(listing, "tree") || strings.Contains(listing, "\tin/") {
		t.Errorf("after rm: %q", listing)
	}

	// A signal here kills the command there.
	running := start(t, env, "gobuild", "gomote", "--dev", "run", id, "/bin/sh", "-c", "echo $$; exec sleep 600")
	var pid string
	waitFor(t, "the command runs", func() bool {
		pid = strings.TrimSpace(running.text())
		return pid != ""
	})
	running.cmd.Process.Signal(os.Interrupt)
	select {
	case <-running.ended:
	case <-time.After(patience):
		t.Fatal("an interrupted run goes on")
	}
	if code := running.cmd.ProcessState.ExitCode(); code != 130 {
		t.Errorf("interrupted run: exit code %d, want 130", code)
	}
	waitFor(t, "the command is dead there", func() bool {
		_, err := os.Stat("/proc/" + strings.Fields(pid)[0])
		return os.IsNotExist(err)
	})

	if err := os.WriteFile(filepath.Join(work, "left"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	good("destroy", id)
	if _, err := os.Stat(filepath.Join(work, "left")); !os.IsNotExist(err) {
		t.Errorf("destroy left the work directory as it was: %v", err)
	}
	if r := gomote("ping", id); r.code != 1 || !strings.Contains(r.stderr, "user-joe destroyed it") {
		t.Errorf("ping of a destroyed instance: exit code %d, %s", r.code, r.stderr)
	}
	idle(t, env, "board")
	// The machine serves the next one.
	if next := strings.TrimSpace(good("create", builderType)); next != id {
		t.Errorf("next instance: %q", next)
	}
	good("destroy", id)
}

// Upstream's buildlet is told why it is refused.
func TestUpstreamBuildletRefused(t *testing.T) {
	addr, _ := devFarm(t)
	for hostType, want := range map[string]string{
		"host-linux-amd46": "is it host-linux-amd64?",
	} {
		r := run(t, nil, "", "buildlet", "-coordinator="+addr, "-reverse-type="+hostType, "-hostname=board",
			"-workdir="+t.TempDir(), "-health-addr="+dialtest.FreeAddr(t), "-halt=false")
		if r.code != 1 || !strings.Contains(r.stderr, want) {
			t.Errorf("%s: exit code %d, %s", hostType, r.code, r.stderr)
		}
	}
	// A coordinator with another master key refuses upstream's development
	// key.
	dir := t.TempDir()
	master := filepath.Join(dir, "master")
	if err := os.WriteFile(master, []byte("another master\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	certFile, keyFile := writeCert(t, dir)
	p := start(t, nil, "gobuild", "coordinator", "--listen=127.0.0.1:0", "--master-key="+master, "--tls-cert="+certFile, "--tls-key="+keyFile)
	p.await("serving")
	addr = regexp.MustCompile(`url=https://(\S+)`).FindStringSubmatch(p.text())[1]
	r := run(t, nil, "", "buildlet", "-coordinator="+addr, "-reverse-type="+hostType, "-hostname=board",
		"-workdir="+t.TempDir(), "-health-addr="+dialtest.FreeAddr(t), "-halt=false")
	if r.code != 1 || !strings.Contains(r.stderr, "412") || !strings.Contains(r.stderr, "invalid build key") {
		t.Errorf("wrong key: exit code %d, %s", r.code, r.stderr)
	}
}
