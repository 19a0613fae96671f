package rehearse

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gobuild/pkg/machinetoken"
	"gobuild/pkg/netdial"
	"gobuild/pkg/supervise"
	"gobuild/pkg/swarmbot"
)

// StandIn plays python3 and the rehearsal's bot, on machines without Python.
// The arguments are those of python3: "-c SCRIPT", which asks for the version,
// or "ZIP start_bot". The bot does what luci_bot/__main__.py does, except that
// it does not run the zip that it updates itself to, but goes on as if. It
// ends when ctx does.
func StandIn(ctx context.Context, args []string, stdout io.Writer, getenv func(string) string) error {
	if len(args) == 2 && args[0] == "-c" {
		_, err := fmt.Fprintln(stdout, "3 13 0 tls") // what run-bot asks, and likes to hear
		return err
	}
	if len(args) != 2 || args[1] != "start_bot" {
		return fmt.Errorf("the stand-in for Python cannot run %q", args)
	}
	file, err := filepath.Abs(args[0])
	if err != nil {
		return err
	}
	b := &standInBot{dir: filepath.Dir(file), slot: 1, id: getenv("SWARMING_BOT_ID"), tokenFile: getenv("LUCI_MACHINE_TOKEN")}
	roots, err := netdial.Roots(getenv("REQUESTS_CA_BUNDLE"))
	if err != nil {
		return err
	}
	b.http = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, DisableKeepAlives: true,
	}}
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(b.dir, "logs"), 0o755); err != nil {
		return err
	}
	if err := b.load(data); err != nil {
		return err
	}
	release, err := supervise.Lock(filepath.Join(b.dir, "swarming.lck"))
	if err != nil {
		return err
	}
	defer release()
	return b.run(ctx)
}

// standInBot is the stand-in for the bot.
type standInBot struct {
	dir, id, tokenFile string
	http               *http.Client
	slot               int // number of the zip that it says it runs
	config             botConfig
	version            string
	session            string
	rbe                bool // whether there is a session with the scheduler
}

// errStartAnew ends a session of a bot that is to log in again.
var errStartAnew = errors.New("start anew")

// load takes on what is in a zip.
func (b *standInBot) load(data []byte) (err error) {
	if b.version, err = swarmbot.Digest(data); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(b.dir, b.program()), data, 0o644); err != nil {
		return err
	}
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return err
	}
	f, err := archive.Open("config/config.json")
	if err != nil {
		return err
	}
	defer f.Close()
	return json.NewDecoder(f).Decode(&b.config)
}

func (b *standInBot) program() string { return fmt.Sprintf("swarming_bot.%d.zip", b.slot) }

func (b *standInBot) log(level, text string) {
	f, err := os.OpenFile(filepath.Join(b.dir, "logs", "swarming_bot.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return
	}
	defer f.Close()
	fmt.Fprintf(f, "%d %s %s: %s\n", os.Getpid(), time.Now().Format("2006-01-02 15:04:05.000"), level, text)
}

// run works until ctx ends or the server says so.
func (b *standInBot) run(ctx context.Context) error {
	for {
		b.log("I", "importing bot_main: "+filepath.Join(b.dir, b.program()))
		if b.config.Kind == "crash" {
			return errors.New("ValueError: this bot was made to die")
		}
		b.handshake(ctx)
		err := b.serve(ctx)
		if !errors.Is(err, errStartAnew) {
			return err
		}
	}
}

// handshake logs in, for ever if need be.
func (b *standInBot) handshake(ctx context.Context) {
	for ctx.Err() == nil {
		answer, err := b.call(ctx, "handshake", map[string]any{"session_id": strings.ToLower(rand.Text())})
		if err == nil {
			b.session, _ = answer["session"].(string)
			b.rbe = false
			b.log("I", fmt.Sprintf("Connected to %v", answer["server_version"]))
			return
		}
		b.log("E", err.Error())
		b.log("E", "Failed to contact for handshake, retrying in 1 sec...")
		nap(ctx, time.Second)
	}
}

// serve polls until the bot is to end, or to start anew.
func (b *standInBot) serve(ctx context.Context) error {
	for ctx.Err() == nil {
		answer, err := b.call(ctx, "poll", map[string]any{"session": b.session, "request_uuid": rand.Text()})
		if err == nil && answer["cmd"] == "rbe" {
			answer, err = b.lease(ctx, answer)
		}
		if err != nil {
			b.log("E", err.Error())
			nap(ctx, time.Second)
			continue
		}
		b.log("D", fmt.Sprintf("%v; state %s", answer["cmd"], b.stateText()))
		switch answer["cmd"] {
		case "update":
			version, _ := answer["version"].(string)
			return b.update(ctx, version)
		case "bot_restart":
			b.log("I", fmt.Sprintf("Restarting: %v", answer["message"]))
			return errStartAnew
		case "terminate":
			return nil
		case "sleep":
			seconds, _ := answer["duration"].(float64)
			nap(ctx, time.Duration(seconds*float64(time.Second)))
		}
	}
	b.log("I", "Signal was received")
	if b.session != "" {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if b.rbe {
			b.call(ctx, "rbe/session/update", map[string]any{"session": b.session, "status": "BOT_TERMINATING", "nonblocking": true})
		}
		b.call(ctx, "event", map[string]any{"session": b.session, "event": "bot_shutdown", "message": "Signal was received"})
	}
	return nil
}

// lease waits for work at the scheduler, and returns the task, or answer.
func (b *standInBot) lease(ctx context.Context, answer map[string]any) (map[string]any, error) {
	if !b.rbe {
		if _, err := b.call(ctx, "rbe/session/create", map[string]any{"session": b.session, "bot_version": "rehearsal_swarming/" + b.version}); err != nil {
			return nil, err
		}
		b.rbe = true
	}
	update, err := b.call(ctx, "rbe/session/update", map[string]any{"session": b.session, "status": "OK"})
	offer, offered := update["lease"].(map[string]any)
	if err != nil || !offered {
		return answer, err
	}
	payload, _ := offer["payload"].(map[string]any)
	return b.call(ctx, "claim", map[string]any{"session": b.session, "claim_id": offer["id"], "task_id": payload["task_id"]})
}

// update takes on another version.
func (b *standInBot) update(ctx context.Context, version string) error {
	status, data, err := b.request(ctx, http.MethodGet, "bot_code/"+version, nil)
	if err != nil {
		return err
	}
	b.slot = 3 - b.slot
	if err := b.load(data); err != nil || status != http.StatusOK || b.version != version {
		return fmt.Errorf("ValueError: the update %s came with status %d and the digest %s (%v)", version, status, b.version, err)
	}
	return errors.Join(errStartAnew, os.WriteFile(filepath.Join(b.dir, "swarming_bot.zip"), data, 0o644))
}

// state is what the bot says of itself; stateText the same as Python writes it.
func (b *standInBot) state() map[string]any {
	state := map[string]any{"cwd": b.dir}
	if b.config.Kind == "quarantine" {
		state["quarantined"] = "> 1024 files in TEMP (rehearsed)"
	}
	return state
}

func (b *standInBot) stateText() string {
	var words []string
	for key, value := range b.state() {
		words = append(words, fmt.Sprintf("'%s': '%v'", key, value))
	}
	return "{" + strings.Join(words, ", ") + "}"
}

// call makes one of the bot's calls.
func (b *standInBot) call(ctx context.Context, name string, message map[string]any) (answer map[string]any, err error) {
	message["dimensions"], message["state"], message["version"] = map[string][]string{"id": {b.id}}, b.state(), b.version
	body, err := json.Marshal(message)
	if err != nil {
		return nil, err
	}
	status, text, err := b.request(ctx, http.MethodPost, name, body)
	if err != nil {
		return nil, fmt.Errorf("%s: Unable to open given url, %s, %w", name, b.config.Server, err)
	}
	if status != http.StatusOK {
		return nil, fmt.Errorf("request to %s%s%s failed with HTTP status code %d: %s", b.config.Server, botAPI, name, status, bytes.TrimSpace(text))
	}
	return answer, json.Unmarshal(text, &answer)
}

// request makes one request, which is not broken off: as in Python, a signal is
// looked at when it is done. Otherwise the server might know of a session that
// the bot does not.
func (b *standInBot) request(ctx context.Context, method, name string, body []byte) (status int, text []byte, err error) {
	ctx = context.WithoutCancel(ctx) // the client has a limit of its own
	token, err := machinetoken.ReadTokenFile(b.tokenFile)
	if err != nil {
		return 0, nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, b.config.Server+botAPI+name, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	req.Header.Set("X-Luci-Machine-Token", token.Token)
	req.Header.Set("X-Luci-Swarming-Bot-Id", b.id)
	resp, err := b.http.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	text, err = io.ReadAll(io.LimitReader(resp.Body, maxCall))
	return resp.StatusCode, text, err
}

// nap waits, and ends early with ctx.
func nap(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
