package rehearse

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"gobuild/pkg/botcert"
	"gobuild/pkg/machinetoken/tokenpb"
	"gobuild/pkg/swarmbot"
)

// newLUCI is a rehearsal of LUCI's world, on a machine with settings that are
// not to lead it astray.
func newLUCI(t *testing.T) *rehearsal {
	if testing.Short() {
		t.Skip("makes keys and starts bots")
	}
	r := newRehearsal(t)
	r.play = LUCI
	t.Setenv("LUCI_MACHINE_TOKEN", "/nonexistent")
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	t.Setenv("REQUESTS_CA_BUNDLE", "/nonexistent")
	t.Setenv("GCE_METADATA_HOST", "127.0.0.1:1")
	return r
}

// luciChecklist is what the rehearsal shows: a word of each step's name, and
// what its detail has to say.
var luciChecklist = []struct{ name, detail string }{
	{"CA", `certificate of gobuild CA \w+ until`},
	{"over verified TLS", `^localhost:\d+, with a bot of version [0-9a-f]{12}$`},
	{"certificate request", `^for \w+-\w+-rehearsal\.bots\.golang\.org$`},
	{"signs", `certificate for \S+ until`},
	{"token minted", `^good for 1h0m0s$`},
	{"proves", `^bot:\w+-\w+-rehearsal\.bots\.golang\.org$`},
	{"second tokend", `^TOKEN_IS_GOOD$`},
	{"Python", `Python`},
	{"logs in", `^bot:\S+, version [0-9a-f]{12}`},
	{"polls", `^200 running$`},
	{"update", `updated itself`},
	{"restart", `^process \d+$`},
	{"ends the bot", `terminate task`},
	{"told to end", `^exit code 0 .*bot_shutdown$`},
	{"clock", `BAD_TIMESTAMP.*11m\d+s behind`},
	{"revoked", `UNTRUSTED_CERTIFICATE.*revoked`},
	{"expired", `expired 17m\d+s ago`},
	{"401", `401 Unauthorized`},
	{"no token daemon", `no such file`},
	{"wrong --hostname", `but the bot is called`},
	{"403", `403 Forbidden`},
	{"empty", `it is empty`},
	{"not what it should be", `has the content digest`},
	{"handshake", `Swarming does not know this bot`},
	{"quarantined", `1024 files in TEMP`},
	{"dies", `given up: .*this bot was made to die`},
}

func (r *rehearsal) checkLUCI() {
	r.Helper()
	if len(r.steps) != len(luciChecklist) {
		r.Fatalf("%d steps, want %d: %+v", len(r.steps), len(luciChecklist), r.steps)
	}
	for i, want := range luciChecklist {
		s := r.steps[i]
		if s.Err != nil || !strings.Contains(s.Name, want.name) || !regexp.MustCompile(want.detail).MatchString(s.Detail) {
			r.Errorf("step %d: %+v, want %q: %q", i, s, want.name, want.detail)
		}
		if regexp.MustCompile(`NAME|SERVER|BACKEND`).MatchString(s.Command) {
			r.Errorf("step %d: %s", i, s.Command)
		}
	}
}

func TestLUCIPasses(t *testing.T) {
	r := newLUCI(t)
	if err := r.run(t.Context(), Options{Program: program}); err != nil {
		t.Errorf("%v: %+v", err, r.steps)
	}
	r.checkLUCI()
}

// Without Python, the program plays the bot, and all is as before.
func TestLUCIPassesWithoutPython(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there it needs Python")
	}
	r := newLUCI(t)
	t.Setenv("PATH", t.TempDir())
	if err := r.run(t.Context(), Options{Program: program}); err != nil {
		t.Errorf("%v: %+v", err, r.steps)
	}
	r.checkLUCI()
	if got := r.steps[7].Detail; !strings.Contains(got, "no python3") {
		t.Errorf("played with %s", got)
	}
}

// An interrupt at any step ends it all: before the bot, while it runs, in the
// middle of a fault.
func TestLUCIInterrupted(t *testing.T) {
	for _, at := range []int{2, 9, 11, 16, 24} {
		t.Run(fmt.Sprint("after step ", at), func(t *testing.T) {
			r := newLUCI(t)
			why := errors.New("somebody pressed the button")
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			err := r.run(ctx, Options{Program: program, Step: func(s Step) {
				if s.Err != nil {
					t.Errorf("an interrupted step was told of as failed: %+v", s)
				}
				if len(r.steps) == at {
					cancel(why)
				}
			}})
			if !errors.Is(err, why) || len(r.steps) != at {
				t.Errorf("error %v after %d steps", err, len(r.steps))
			}
		})
	}
}

func TestLUCIKept(t *testing.T) {
	r := newLUCI(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ready := false
	err := r.run(ctx, Options{Program: program, Keep: true, Ready: func(f Farm) {
		defer cancel()
		ready = true
		resp, err := http.Get(f.StatusURL)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		http.DefaultClient.CloseIdleConnections()
		if resp.StatusCode != http.StatusOK || !strings.Contains(string(text), "-rehearsal") {
			t.Errorf("status page: %s\n%s", resp.Status, text)
		}
		if len(f.Try) == 0 {
			t.Error("there is nothing to try")
		}
		for _, try := range f.Try {
			f.try(t, try)
		}
	}})
	if err != nil || !ready {
		t.Errorf("ready: %v, %v: %+v", ready, err, r.steps)
	}
}

// Tools that do not name a cause, or do not fail at all, fail the rehearsal.
func TestLUCIFails(t *testing.T) {
	if runtime.GOOS == "windows" || runtime.GOOS == "plan9" {
		t.Skip("needs sh")
	}
	script := func(text string) string {
		file := filepath.Join(t.TempDir(), "gobuild")
		if err := os.WriteFile(file, []byte("#!/bin/sh\n"+text+"\nexec '"+program+"' \"$@\"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		return file
	}
	for _, tt := range []struct {
		name, program string
		steps         int // told of, the failed one included
		why           string
	}{
		{"no CSR", script(`case "$1 $2" in "csr linux"*|"csr ` + runtime.GOOS + `"*) echo "error: no disk" >&2; exit 1;; esac`), 3, "no disk"},
		{"replaces good tokens", script(`case "$*" in tokend*--json) set -- "$@" --force-refresh;; esac`), 7, "the token was replaced"},
		{"never fails", script(`case "$*" in *--force-refresh) exit 0;; esac`), 15, "gobuild tokend did not fail"},
		{"does not say why", script(`case "$*" in *--force-refresh) echo "error: no" >&2; exit 1;; esac`), 15, `does not name the cause "BAD_TIMESTAMP"; it said: error: no`},
		{"run-bot dies", script(`case "$*" in run-bot*--once) echo "error: no" >&2; exit 3;; esac`), 17, "not exit code 1: error: no"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newLUCI(t)
			if err := r.run(t.Context(), Options{Program: tt.program}); !errors.Is(err, errFailed) {
				t.Errorf("error %v", err)
			}
			last := r.steps[len(r.steps)-1]
			if len(r.steps) != tt.steps || !strings.Contains(last.Failure, tt.why) {
				t.Errorf("%d steps, want %d; the last failed with %q, want %q", len(r.steps), tt.steps, last.Failure, tt.why)
			}
		})
	}
}

// The server refuses in Swarming's words (LUCI protocol, section 10).
func TestSwarmingAnswers(t *testing.T) {
	s := &luciServer{hosts: map[string]bool{}, releases: map[string]release{}, bots: map[string]*sighting{}}
	digest, err := s.release("plain")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := swarmbot.Digest(s.releases[digest].zip); err != nil || got != digest {
		t.Errorf("digest %s, want %s (%v)", got, digest, err)
	}
	const json = "application/json; charset=utf-8"
	for _, tt := range []struct {
		method, path, content, body string
		status                      int
		want                        string
	}{
		{"GET", "/bot_code", "", "", 403, `the caller "anonymous:anonymous" doesn't have server-level permission "swarming.pools.createBot"`},
		{"GET", botAPI + "bot_code/" + digest, "", "", 200, "PK"},
		{"GET", botAPI + "bot_code/" + digest + "?x=1", "", "", 302, ""},
		{"GET", botAPI + "bot_code/0123", "", "", 403, "anonymous"},
		{"GET", botAPI + "server_ping", "", "", 200, "Server up"},
		{"POST", botAPI + "handshake", "text/plain", "{}", 400, "rpc error: code = InvalidArgument desc = bad content type"},
		{"POST", botAPI + "handshake", json, "{", 400, "bad request"},
		{"POST", botAPI + "poll", json, `{"dimensions":{"id":["other"]}}`, 400, "the dimension id"},
		{"POST", botAPI + "poll", json, `{"dimensions":{"id":["bot"]}}`, 401, "rpc error: code = Unauthenticated desc = the bot is not in bots.cfg or wrong credentials passed: "},
		{"POST", botAPI + "poll", json, `{}`, 401, "Unauthenticated"},
		{"POST", botAPI + "unknown", json, "{}", 404, ""},
	} {
		req := httptest.NewRequest(tt.method, tt.path, strings.NewReader(tt.body))
		req.Header.Set("Content-Type", tt.content)
		req.Header.Set("X-Luci-Swarming-Bot-Id", "bot")
		w := httptest.NewRecorder()
		s.swarming().ServeHTTP(w, req)
		if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.want) {
			t.Errorf("%s %s: %d %q, want %d %q", tt.method, tt.path, w.Code, w.Body, tt.status, tt.want)
		}
	}
}

// The bot's program compiles on the oldest Python that it may meet, as far as
// this one can tell.
func TestBotProgram(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3")
	}
	cmd := exec.Command(python, "-c", "import ast, sys; ast.parse(sys.stdin.read(), feature_version=(3, 7))")
	cmd.Stdin = strings.NewReader(string(botProgram))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// A task comes to a bot by the scheduler: a lease, which it claims, and no
// earlier than it has a session (LUCI protocol, section 10.3).
func TestScheduler(t *testing.T) {
	if testing.Short() {
		t.Skip("makes keys")
	}
	dir := t.TempDir()
	if _, err := botcert.InitCA(t.Context(), filepath.Join(dir, "ca"), botcert.CAOptions{Name: "test", Lifetime: time.Hour, Now: time.Now()}); err != nil {
		t.Fatal(err)
	}
	s, err := startLUCI(dir, filepath.Join(dir, "ca"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	s.hosts["host"] = true
	digest, err := s.release("plain")
	if err != nil {
		t.Fatal(err)
	}
	token, err := s.signer.Token(&tokenpb.MachineTokenBody{
		MachineFqdn: "host.bots.golang.org", IssuedBy: signerAccount, CaId: caID, CertSn: []byte{1},
		IssuedAt: uint64(time.Now().Unix()), Lifetime: 3600,
	})
	if err != nil {
		t.Fatal(err)
	}
	h := s.verify.Wrap(s.swarming())
	call := func(name, body string, status int, want string) string {
		t.Helper()
		req := httptest.NewRequest("POST", botAPI+name, strings.NewReader(body))
		req.Header.Set("Content-Type", "Application/JSON; charset=UTF-8")
		req.Header.Set("X-Luci-Machine-Token", token)
		req.Header.Set("X-Luci-Swarming-Bot-Id", "host--02")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, req)
		if got := strings.TrimSpace(w.Body.String()); w.Code != status || !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("%s %s: %d %s, want %d %s", name, body, w.Code, got, status, want)
		}
		return w.Body.String()
	}
	const id = `"dimensions":{"id":["host--02"]},`
	call("rbe/session/create", `{"session":"x"}`, 400, "the session is broken")
	call("poll", `{"session":"x"}`, 400, "no dimensions")
	call("poll", `{`+id+`"version":"old"}`, 200, `"cmd":"update"`)
	call("poll", `{`+id+`"version":"`+digest+`","session":"x"}`, 200, `"cmd":"bot_restart"`)
	call("handshake", `{`+id+`"version":"`+digest+`"}`, 400, "no session_id")
	var in struct{ Session string }
	if err := json.Unmarshal([]byte(call("handshake", `{`+id+`"version":"`+digest+`","session_id":"abc"}`, 200, `"session"`)), &in); err != nil {
		t.Fatal(err)
	}
	session := `"session":"` + in.Session + `"`
	call("poll", `{`+id+`"version":"`+digest+`","state":{"quarantined":"full"},`+session+`}`, 200, `"cmd":"sleep","duration":0.2`)
	call("poll", `{`+id+`"version":"`+digest+`",`+session+`}`, 200, `"cmd":"rbe"`)
	call("rbe/session/create", `{`+session+`,"bot_version":"linux_amd64_swarming/`+digest+`"}`, 200, `"session_id":"[^"]+"`)
	call("rbe/session/update", `{`+session+`,"status":"OK"}`, 200, `^\{"status":"OK"\}$`)
	call("claim", `{`+session+`,"task_id":"t1"}`, 200, `"cmd":"skip"`)
	s.order("host--02", map[string]any{"cmd": terminate, "task_id": "t1"})
	call("rbe/session/update", `{`+session+`,"status":"MAINTENANCE"}`, 200, `^\{"status":"MAINTENANCE"\}$`)
	call("poll", `{`+id+`"version":"`+digest+`",`+session+`}`, 200, `"cmd":"rbe"`)
	call("rbe/session/update", `{`+session+`,"status":"OK"}`, 200, `"lease":\{"id":"[^"]+","payload":\{"task_id":"t1"\},"state":"PENDING"\}`)
	call("claim", `{`+session+`,"task_id":"t1"}`, 200, `"cmd":"terminate","task_id":"t1"`)
	call("rbe/session/update", `{`+session+`,"status":"OK","nonblocking":true}`, 200, `^\{"status":"OK"\}$`)
	call("event", `{`+id+session+`,"event":"bot_log"}`, 200, `^\{"ok":true\}$`)
}
