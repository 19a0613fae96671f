//go:build unix

package interop

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"gobuild/pkg/botcert"
	"gobuild/pkg/machinetoken"
	"gobuild/pkg/rehearse"
)

// keptFarm is a "gobuild rehearse luci --keep" that is up.
type keptFarm struct {
	rehearse.Farm
	host string
}

func startRehearsal(t *testing.T) keptFarm {
	t.Helper()
	f := keptFarm{host: runtime.GOOS + "-" + runtime.GOARCH + "-rehearsal"}
	p := start(t, nil, "gobuild", "rehearse", "luci", "--keep", "--json")
	// It makes keys and takes every step first.
	deadline := time.Now().Add(5 * time.Minute)
	for {
		if _, text, ok := strings.Cut(p.text(), "{"); ok && json.NewDecoder(strings.NewReader("{"+text)).Decode(&f.Farm) == nil {
			return f
		}
		select {
		case <-p.ended:
			t.Fatalf("the rehearsal ended: %v", p.cmd.ProcessState)
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatal("the rehearsal is not up")
		}
	}
}

// setting returns one of the settings that the farm names.
func (f keptFarm) setting(t *testing.T, name string) string {
	t.Helper()
	for _, kv := range f.Env {
		if value, ok := strings.CutPrefix(kv, name+"="); ok {
			return value
		}
	}
	t.Fatalf("no %s in %q", name, f.Env)
	return ""
}

// The real token daemon and the real bootstrapswarm work with the rehearsal's
// servers as with Google's, by the settings that the rehearsal prints.
func TestRehearsalPeers(t *testing.T) {
	if testing.Short() {
		t.Skip("takes every step of a rehearsal")
	}
	f := startRehearsal(t)
	paper := func(suffix string) string { return filepath.Join(f.Dir, f.host+suffix) }
	mint := func(program, backend, token string) tokendRun {
		t.Helper()
		status := filepath.Join(filepath.Dir(token), "status.json")
		args := append(append([]string{}, daemons[program]...), "-backend", backend, "-cert-pem", paper(".cert"), "-pkey-pem", paper(".key"),
			"-token-file", token, "-status-file", status)
		r := tokendRun{result: run(t, f.Env, "", program, args...)}
		text, err := os.ReadFile(status)
		if err == nil {
			err = json.Unmarshal(text, &r.status)
		}
		if err != nil {
			t.Fatalf("%s: %v\n%s", program, err, r.stderr)
		}
		return r
	}
	for transport, backend := range map[string]string{
		"plain": f.TokenServer,
		// In small letters it would be called without TLS.
		"TLS": strings.Replace(f.setting(t, "GOBUILD_SWARMING"), "localhost", "LOCALHOST", 1),
	} {
		t.Run(transport, func(t *testing.T) {
			if transport == "TLS" && (runtime.GOOS == "darwin" || runtime.GOOS == "ios") {
				t.Skip("there no program minds SSL_CERT_FILE")
			}
			token := filepath.Join(t.TempDir(), "token.json")
			if r := mint("luci_machine_tokend", backend, token); r.code != 0 || r.status.Outcome != "UPDATE_SUCCESS" || r.status.Version == "" {
				t.Fatalf("code %d, status %+v\n%s", r.code, r.status, r.stderr)
			}
			file, err := machinetoken.ReadTokenFile(token)
			if err != nil {
				t.Fatal(err)
			}
			if body, err := machinetoken.ParseToken(file.Token); err != nil || body.FQDN != botcert.FQDN(f.host) {
				t.Errorf("token %+v, %v", body, err)
			}
			if r := mint("gobuild", backend, token); r.code != 0 || r.status.Outcome != "TOKEN_IS_GOOD" {
				t.Errorf("gobuild tokend with that file: code %d, status %+v\n%s", r.code, r.status, r.stderr)
			}
		})
	}
	t.Run("bootstrapswarm", func(t *testing.T) { f.bootstrap(t) })
}

// bootstrap has the real bootstrapswarm download the rehearsal's bot and run it
// until the bot is told to end.
func (f keptFarm) bootstrap(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip(err)
	}
	home := t.TempDir()
	// Another bot of the same machine: the first one runs.
	env := append(f.Env, "REQUESTS_CA_BUNDLE="+f.setting(t, "SSL_CERT_FILE"), "HOME="+home, "PATH="+pythonPath(t))
	p := start(t, env, "bootstrapswarm", "-hostname", f.host+"--02", "-swarming", f.setting(t, "GOBUILD_SWARMING"))
	dir := filepath.Join(home, ".swarming")
	log := func() string {
		text, _ := os.ReadFile(filepath.Join(dir, "logs", "swarming_bot.log"))
		return string(text)
	}
	waitFor(t, "the bot is logged in and polls", func() bool {
		select {
		case <-p.ended:
			t.Fatalf("bootstrapswarm ended: %v", p.cmd.ProcessState)
		default:
		}
		return strings.Contains(log(), "Connected to gobuild-rehearsal") && strings.Contains(log(), "rbe; state ")
	})
	text, err := os.ReadFile(filepath.Join(dir, "swarming.lck"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	// To bootstrapswarm itself it would leave the bot an orphan.
	syscall.Kill(pid, syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(patience):
		syscall.Kill(pid, syscall.SIGKILL)
		t.Fatal("the bot does not end")
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 || strings.Contains(log(), " E: ") {
		t.Errorf("exit code %d, and the bot's log:\n%s", code, log())
	}
}

// pythonPath returns a PATH in which python3 is the interpreter itself, not a
// version manager's script that looks for it in the home directory.
func pythonPath(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("python3", "-c", "import sys; print(sys.executable)").Output()
	if err != nil {
		t.Skipf("no python3: %v", err)
	}
	dir := t.TempDir()
	if err := os.Symlink(strings.TrimSpace(string(out)), filepath.Join(dir, "python3")); err != nil {
		t.Fatal(err)
	}
	return dir + ":/usr/bin:/bin"
}
