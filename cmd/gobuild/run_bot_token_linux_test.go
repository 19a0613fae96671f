package main

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"gobuild/pkg/account/accounttest"
	"gobuild/pkg/doctor"
	"gobuild/pkg/machinetoken/mintserver"
	"gobuild/pkg/supervise"
	"gobuild/pkg/swarmbot/bottest"
)

// ordinary is a user that every machine has and that owns nothing.
const ordinary = "nobody"

// tokenFarm is a machine with a key, a token server, and Swarming.
type tokenFarm struct {
	t                        *testing.T
	dir                      string // of root's, for all to look into
	key, cert, token, status string // files
	work                     string // a directory of the bot's user
	program                  string // gobuild, where everybody can run it
	caFile                   string
	swarming                 string
	backend                  string
	fault                    atomic.Int32 // an HTTP status; 0 for none
	calls                    atomic.Int32
	who                      *user.User
	python                   string
}

const tokenFarmHost = "linux-riscv64-joe"

func newTokenFarm(t *testing.T) *tokenFarm {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can start a bot as another user")
	}
	who, err := user.Lookup(ordinary)
	if err != nil {
		t.Skip(err)
	}
	f := &tokenFarm{t: t, dir: accounttest.OpenDir(t), who: who, python: "/usr/bin/python3"}
	if _, err := os.Stat(f.python); err != nil {
		t.Skipf("no Python that %s can run: %v", ordinary, err)
	}
	key, err := scriptTokenKey()
	if err != nil {
		t.Fatal(err)
	}
	certify := func(name string, parent *x509.Certificate) *x509.Certificate {
		template := &x509.Certificate{
			SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(90 * 24 * time.Hour),
			IsCA: parent == nil, BasicConstraintsValid: true,
		}
		if parent == nil {
			parent = template
		}
		der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return cert
	}
	ca := certify("test CA", nil)
	f.key = f.write("bot.key", pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}), 0o600)
	f.cert = f.write("bot.cert", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certify(tokenFarmHost+".bots.golang.org", ca).Raw}), 0o644)
	f.token, f.status = filepath.Join(f.dir, "token.json"), filepath.Join(f.dir, "status.json")

	signer, err := mintserver.NewSigner("x@example.iam.gserviceaccount.com", key)
	if err != nil {
		t.Fatal(err)
	}
	mint, err := mintserver.New(mintserver.Options{
		Signer: signer,
		CAs: []mintserver.CA{{ID: 1, Certificate: ca,
			Domains: []mintserver.Domain{{Names: []string{"bots.golang.org"}, Lifetime: time.Hour}}}},
		Intercept: func(w http.ResponseWriter, r *http.Request) bool {
			f.calls.Add(1)
			status := int(f.fault.Load())
			if status != 0 {
				http.Error(w, "out of order", status)
			}
			return status != 0
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(mint)
	t.Cleanup(func() {
		web.CloseClientConnections()
		web.Close()
	})
	f.backend = web.Listener.Addr().String() // 127.0.0.1: without TLS

	s := bottest.Start(t, bottest.Zip())
	caText, err := os.ReadFile(s.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	f.swarming, f.caFile = s.Host, f.write("ca.pem", caText, 0o644)

	home := filepath.Join(f.dir, "home")
	uid, _ := strconv.Atoi(who.Uid)
	gid, _ := strconv.Atoi(who.Gid)
	if err := errors.Join(os.Mkdir(home, 0o755), os.Chown(home, uid, gid)); err != nil {
		t.Fatal(err)
	}
	f.work = filepath.Join(home, "bot")
	f.program = filepath.Join(f.dir, "gobuild")
	accounttest.CopyProgram(t, f.program)
	return f
}

func (f *tokenFarm) write(name string, content []byte, mode os.FileMode) string {
	f.t.Helper()
	file := filepath.Join(f.dir, name)
	if err := os.WriteFile(file, content, mode); err != nil {
		f.t.Fatal(err)
	}
	return file
}

// args is a command line of run-bot that keeps the token.
func (f *tokenFarm) args(more ...string) []string {
	return append([]string{"run-bot", "--with-tokend", "--hostname", tokenFarmHost, "--swarming", f.swarming, "--ca-file", f.caFile,
		"--workdir", f.work, "--python", f.python, "--backend", f.backend, "--cert-pem", f.cert, "--pkey-pem", f.key,
		"--token-file", f.token, "--status-file", f.status, "--stop-wait=20s", "--timeout=2s",
		"--retry-min=10ms", "--retry-max=20ms", "--retry-budget=0", "--settle=1h", "--health-addr=127.0.0.1:0"}, more...)
}

// start starts run-bot with a bot of the given mode.
func (f *tokenFarm) start(mode string, args ...string) *botProcess {
	t := f.t
	t.Helper()
	p := &botProcess{t: t, cmd: exec.Command(f.program, args...), dir: f.work, done: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), "BOT_MODE="+mode, "HOME="+t.TempDir(), "XDG_CONFIG_HOME="+t.TempDir(), "NO_PROXY=127.0.0.1",
		"GOBUILD_PKEY_PEM="+f.key, "KEY_OF_MINE="+f.key, "SUDO_USER=joe", "GORACE=atexit_sleep_ms=10", "SWARMING_BOT_DIR="+t.Name())
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	p.cmd.WaitDelay = botPatience
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		p.cmd.Wait()
	}()
	t.Cleanup(func() {
		p.cmd.Process.Kill()
		<-p.done
		if t.Failed() {
			text := p.out.String()
			t.Logf("run-bot said, at last: %s", text[max(0, len(text)-3000):])
		}
	})
	return p
}

// gone waits until no process of the farm's bot is left.
func (f *tokenFarm) gone() {
	f.t.Helper()
	mark := "SWARMING_BOT_DIR=" + f.t.Name()
	for deadline := time.Now().Add(botPatience); len(supervise.Marked(mark)) > 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			f.t.Fatalf("processes %v live on", supervise.Marked(mark))
		}
	}
	noOrphans(f.t, f.work)
}

// procField returns a line of /proc/PID/status, without its name.
func procField(t *testing.T, pid int, name string) []string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.Fields(rest)
		}
	}
	t.Fatalf("no %s in the status of process %d", name, pid)
	return nil
}

func numberField(t *testing.T, pid int, name string) uint32 {
	t.Helper()
	n, err := strconv.ParseUint(procField(t, pid, name)[0], 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return uint32(n)
}

// Root keeps the token, and the bot is another user's: it can read the token
// and not the key, and knows nothing of the key. A signal ends all of it.
func TestRunBotApart(t *testing.T) {
	f := newTokenFarm(t)
	p := f.start("family", f.args("--user", ordinary)...)
	bot := p.running(0)
	p.await("the bot has said its environment", func() bool {
		text, _ := os.ReadFile(filepath.Join(f.work, "environment"))
		return strings.Contains(string(text), "\ncwd=")
	})
	child := int(numberField(t, bot, "PPid"))
	if parent := int(numberField(t, child, "PPid")); parent != p.cmd.Process.Pid {
		t.Errorf("the parent of the bot's parent is %d, not run-bot, %d", parent, p.cmd.Process.Pid)
	}
	groups, err := f.who.GroupIds()
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(groups)
	for _, pid := range []int{child, bot} {
		for name, want := range map[string]string{"Uid": f.who.Uid, "Gid": f.who.Gid} {
			if got := procField(t, pid, name); strings.Join(got, " ") != strings.TrimSpace(strings.Repeat(want+" ", 4)) {
				t.Errorf("process %d has %s %q, want %s", pid, name, got, want)
			}
		}
		got := procField(t, pid, "Groups")
		slices.Sort(got)
		if !slices.Equal(got, groups) {
			t.Errorf("process %d has the groups %q, want %q", pid, got, groups)
		}
		for _, what := range []string{"cmdline", "environ"} {
			text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, what))
			if err != nil || strings.Contains(string(text), f.key) || strings.Contains(string(text), "SUDO_USER") || strings.Contains(string(text), "GOBUILD_PKEY") {
				t.Errorf("%s of process %d: %v: %q", what, pid, err, text)
			}
		}
		// What this user and these groups can read.
		as := &syscall.Credential{Uid: numberField(t, pid, "Uid"), Gid: numberField(t, pid, "Gid"), NoSetGroups: false}
		for file, want := range map[string]bool{f.key: false, f.token: true, f.cert: true} {
			cat := exec.Command("cat", file)
			cat.Dir = "/"
			cat.SysProcAttr = &syscall.SysProcAttr{Credential: as}
			out, err := cat.CombinedOutput()
			if (err == nil) != want {
				t.Errorf("reading %s as process %d: %v %.80q", file, pid, err, out)
			}
		}
	}
	if numberField(t, p.cmd.Process.Pid, "Uid") != 0 {
		t.Error("the token daemon is not root")
	}
	text, _ := os.ReadFile(filepath.Join(f.work, "environment"))
	for _, want := range []string{"HOME=" + f.who.HomeDir, "USER=" + ordinary, "LOGNAME=" + ordinary, "LUCI_MACHINE_TOKEN=" + f.token} {
		if !strings.Contains("\n"+string(text), "\n"+want+"\n") {
			t.Errorf("no %s in the bot's environment:\n%s", want, text)
		}
	}
	p.await("the page knows of the token", func() bool {
		st, ok := p.status()
		return ok && slices.ContainsFunc(st.Facts, func(fact supervise.Fact) bool {
			return fact.Name == "token daemon" && strings.HasPrefix(fact.Text, "UPDATE_SUCCESS at ") && strings.Contains(fact.Text, ", next after ")
		})
	})
	p.await("there are children", func() bool {
		text, _ := os.ReadFile(filepath.Join(f.work, "children"))
		return len(strings.Fields(string(text))) == 2
	})
	p.cmd.Process.Signal(syscall.SIGTERM)
	if code := p.end(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	f.gone()
	if _, err := os.Stat(f.status); err != nil {
		t.Error(err)
	}
}

// When one half is killed, the other ends as well, and all that the bot has
// started. A new run-bot can start at once.
func TestRunBotApartKilled(t *testing.T) {
	f := newTokenFarm(t)
	p := f.start("family", f.args("--user", ordinary)...)
	bot := p.running(0)
	syscall.Kill(int(numberField(t, bot, "PPid")), syscall.SIGKILL)
	if code := p.end(); code != 1 || !strings.Contains(p.out.String(), "signal: killed") {
		t.Errorf("the bot's half was killed: exit code %d", code)
	}
	f.gone()

	p = f.start("family", f.args("--user", ordinary)...)
	p.running(bot)
	p.cmd.Process.Kill()
	<-p.done
	f.gone()

	// The bot is deaf: the half that is left waits for it.
	p = f.start("deaf,family", f.args("--user", ordinary)...)
	bot = p.running(0)
	p.await("the bot has a log", func() bool {
		text, _ := os.ReadFile(filepath.Join(f.work, "logs", "swarming_bot.log"))
		return strings.Contains(string(text), fmt.Sprintf("%d ", bot))
	})
	p.cmd.Process.Kill()
	<-p.done
	next := f.start("family", f.args("--user", ordinary)...)
	next.running(bot)
	next.cmd.Process.Signal(syscall.SIGTERM)
	if code := next.end(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	f.gone()
}

// A second signal kills a bot that does not end.
func TestRunBotApartSecondSignal(t *testing.T) {
	f := newTokenFarm(t)
	p := f.start("deaf,family", f.args("--user", ordinary, "--stop-wait=10m")...)
	p.running(0)
	p.await("the bot is deaf", func() bool {
		text, _ := os.ReadFile(filepath.Join(f.work, "children"))
		return len(strings.Fields(string(text))) == 2
	})
	p.cmd.Process.Signal(syscall.SIGTERM)
	p.await("the first signal was taken", func() bool { return strings.Contains(p.out.String(), "asking Swarming bot") })
	p.cmd.Process.Signal(syscall.SIGTERM)
	if code := p.end(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	f.gone()
}

// The bot waits for the first token, and the page says what for.
func TestRunBotWaitsForToken(t *testing.T) {
	for _, tt := range []struct{ name, flag string }{{"apart", "--user=" + ordinary}, {"together", "--allow-root"}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newTokenFarm(t)
			f.fault.Store(http.StatusServiceUnavailable)
			p := f.start("idle", f.args(tt.flag)...)
			p.await("the page says what is awaited", func() bool {
				st, ok := p.status()
				return ok && st.State == supervise.Starting && strings.Contains(st.Why, "waiting for a machine token: ") &&
					strings.Contains(st.Why, "HTTP 503 without a pRPC code: out of order")
			})
			if _, err := os.Stat(filepath.Join(f.work, "starts")); err == nil {
				t.Error("the bot was started without a token")
			}
			if f.calls.Load() == 0 {
				t.Error("the token server was not asked")
			}
			warns := strings.Contains(p.out.String(), "so can read the private key "+f.key)
			if together := tt.name == "together"; warns != together {
				t.Errorf("warned about the key: %t", warns)
			}
			f.fault.Store(0)
			// The daemon tries again after a quarter of a minute.
			deadline := time.Now().Add(3 * time.Minute)
			for st, _ := p.status(); st.State != supervise.Running; st, _ = p.status() {
				if time.Now().After(deadline) {
					t.Fatalf("the bot does not start: %+v", st)
				}
				time.Sleep(50 * time.Millisecond)
			}
			p.cmd.Process.Signal(syscall.SIGTERM)
			if code := p.end(); code != 0 {
				t.Errorf("exit code %d", code)
			}
			f.gone()
		})
	}
}

// The exit code is that of the bot's half.
func TestRunBotApartOnce(t *testing.T) {
	for mode, want := range map[string]int{"exit0": 0, "exit3": 1} {
		f := newTokenFarm(t)
		p := f.start(mode, f.args("--user", ordinary, "--once")...)
		if code := p.end(); code != want {
			t.Errorf("%s: exit code %d, want %d", mode, code, want)
		}
		if n := strings.Count(p.out.String(), "error: "); n != want {
			t.Errorf("%s: %d errors were printed", mode, n)
		}
		f.gone()
	}
}

// What would leave the privileges together is refused, in words.
func TestRunBotApartRefused(t *testing.T) {
	f := newTokenFarm(t)
	chmod := func(file string, mode os.FileMode) func() func() {
		return func() func() {
			info, err := os.Stat(file)
			if err == nil {
				err = os.Chmod(file, mode)
			}
			if err != nil {
				t.Fatal(err)
			}
			return func() { os.Chmod(file, info.Mode().Perm()) }
		}
	}
	uid, _ := strconv.Atoi(f.who.Uid)
	for _, tt := range []struct {
		name, says, advises string
		cause               string // as doctor --explain names it; empty for none
		args                []string
		before              func() func()
	}{
		{"no user", "this is root", "--user swarming", "gobuild-bot-root", nil, nil},
		{"unknown user", "unknown user no-such-user", "useradd", "", []string{"--user=no-such-user"}, nil},
		{"root as the bot's user", "user root is root", "of its own", "", []string{"--user=root"}, nil},
		{"key for all", "can read the private key " + f.key + ": its mode is 0644", "chmod 600", "gobuild-bot-key-open", []string{"--user=" + ordinary}, chmod(f.key, 0o644)},
		{"key of the bot's user", "it is that user's", "chown root", "gobuild-bot-key-open", []string{"--user=" + ordinary}, func() func() {
			os.Chown(f.key, uid, -1)
			return func() { os.Chown(f.key, 0, -1) }
		}},
		{"directory for all", "can write in " + f.dir, "mode 755", "gobuild-bot-dir-open", []string{"--user=" + ordinary}, chmod(f.dir, 0o777)},
		{"closed directory", "cannot get at the token file " + f.token, "chmod 755", "gobuild-bot-dir-closed", []string{"--user=" + ordinary}, chmod(f.dir, 0o700)},
		{"no key", "--pkey-pem is missing", "give it", "", []string{"--user=" + ordinary, "--pkey-pem="}, nil},
		{"another tokend", "another token daemon is at work", "one is enough", "gobuild-two-tokend", []string{"--user=" + ordinary}, func() func() {
			d := exec.Command(f.program, "tokend", "--backend", f.backend, "--cert-pem", f.cert, "--pkey-pem", f.key, "--token-file", f.token)
			if err := d.Start(); err != nil {
				t.Fatal(err)
			}
			for deadline := time.Now().Add(botPatience); f.calls.Load() == 0 && time.Now().Before(deadline); {
				time.Sleep(5 * time.Millisecond)
			}
			return func() {
				d.Process.Kill()
				d.Wait()
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.before != nil {
				defer tt.before()()
			}
			p := f.start("idle", f.args(tt.args...)...)
			code := p.end()
			text := p.out.String()
			if code == 0 || !strings.Contains(text, tt.says) || !regexp.MustCompile(`hint: [^\0]*`+regexp.QuoteMeta(tt.advises)).MatchString(text) {
				t.Errorf("exit code %d:\n%s", code, text)
			}
			if found, err := doctor.Explain(strings.NewReader(text)); err != nil || tt.cause != "" && (len(found) != 1 || found[0].ID != tt.cause) {
				t.Errorf("doctor explains %+v (%v), want %s", found, err, tt.cause)
			}
			if _, err := os.Stat(f.work); err == nil {
				t.Error("the bot's half was started")
			}
		})
	}
	// As an ordinary user, --user is too much, and the rest is for --with-tokend.
	p := exec.Command(f.program, f.args("--user=root")...)
	p.Dir, p.Env = "/", append(os.Environ(), "HOME=/", "XDG_CONFIG_HOME=/")
	p.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
	if out, err := p.CombinedOutput(); err == nil || !strings.Contains(string(out), "only root can start the bot as another user") {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := exec.Command(f.program, "run-bot", "--user=x").CombinedOutput(); err == nil || !strings.Contains(string(out), "--user is for --with-tokend") {
		t.Errorf("%v\n%s", err, out)
	}
}
