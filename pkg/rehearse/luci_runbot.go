package rehearse

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"gobuild/pkg/machinetoken"
	"gobuild/pkg/supervise"
)

// supervised is a "gobuild run-bot" that runs.
type supervised struct {
	*process
	dir string // its work directory
	url string // of its status page
}

// runBotArgs is the command line of a bot that works in a directory.
func (f *luciFarm) runBotArgs(host, dir, tokenFile string, more ...string) []string {
	args := []string{"run-bot", "--hostname", host, "--swarming", f.server.addr, "--token-file", tokenFile,
		"--workdir", dir, "--python", f.interp.file, "--stop-wait", "10s", "--settle", "10m"}
	if os.Geteuid() == 0 {
		args = append(args, "--allow-root") // whoever rehearses as root works as root
	}
	return append(args, more...)
}

// startBot starts run-bot, with hasty retries, and waits for its status page.
func (f *luciFarm) startBot(ctx context.Context, dir string) (*supervised, error) {
	args := f.runBotArgs(f.host, f.path(dir), f.tokenFile(), "--cert-pem", f.certFile(), "--health-addr", "127.0.0.1:0",
		"--retry-min", "100ms", "--retry-max", "300ms", "--retry-budget", "3")
	p, err := f.start("run-bot", args...)
	if err != nil {
		return nil, err
	}
	b := &supervised{process: p, dir: f.path(dir)}
	return b, p.await(ctx, func() bool { b.url = p.log.field("url"); return b.url != "" })
}

// status asks run-bot how its bot is.
func (b *supervised) status(ctx context.Context) (st supervise.Status, err error) {
	text, _, err := b.get(ctx, "status.json")
	if err == nil {
		err = json.Unmarshal(text, &st)
	}
	return st, err
}

func (b *supervised) get(ctx context.Context, path string) (text []byte, code int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.url+path, nil)
	if err != nil {
		return nil, 0, err
	}
	transport := &http.Transport{DisableKeepAlives: true} // it is on this machine: no proxy
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return nil, 0, err
	}
	defer resp.Body.Close()
	text, err = io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return text, resp.StatusCode, err
}

// awaitStatus waits until the bot is as cond wants it.
func (b *supervised) awaitStatus(ctx context.Context, cond func(supervise.Status) bool) (st supervise.Status, err error) {
	var last error
	err = b.await(ctx, func() bool {
		st, last = b.status(ctx)
		return last == nil && cond(st)
	})
	if err != nil {
		err = errors.Join(fmt.Errorf("%w; the bot is %s", err, st.Line()), last)
	}
	return st, err
}

// end asks run-bot to end and checks that it ends well, and its bot with it.
func (f *luciFarm) end(ctx context.Context, b *supervised) error {
	st, err := b.status(ctx)
	if err != nil {
		return err
	}
	f.kids = slices.DeleteFunc(f.kids, func(p *process) bool { return p == b.process })
	asked := b.cmd.Process.Signal(syscall.SIGTERM) == nil
	if !asked {
		b.cmd.Process.Kill() // there is no such signal here
	}
	select {
	case <-b.ended:
	case <-ctx.Done():
		b.stop()
		return fmt.Errorf("%w; run-bot did not end: %s", context.Cause(ctx), tail(b.log.String(), 5))
	}
	switch {
	case asked && !b.cmd.ProcessState.Success():
		return fmt.Errorf("run-bot ended with %v: %s", b.cmd.ProcessState, tail(b.log.String(), 5))
	case st.Pid != 0 && supervise.Locked(filepath.Join(b.dir, "swarming.lck")):
		return fmt.Errorf("the bot, process %d, outlives run-bot", st.Pid)
	}
	return nil
}

func (f *luciFarm) runBot(ctx context.Context) (string, error) {
	var err error
	if f.bot, err = f.startBot(ctx, "bot"); err != nil {
		return "", err
	}
	if err := f.server.await(ctx, f.bot.process, f.host, func(s sighting) bool { return s.handshakes > 0 }); err != nil {
		return "", err
	}
	saw := f.server.seen(f.host)
	if saw.identity != "bot:"+f.fqdn() || saw.kind != "plain" {
		return "", fmt.Errorf("the bot logged in as %s, with the version %s", saw.identity, saw.version)
	}
	return fmt.Sprintf("%s, version %s, which it works out from its own zip", saw.identity, short(saw.version)), nil
}

func (f *luciFarm) polls(ctx context.Context) (string, error) {
	if err := f.server.await(ctx, f.bot.process, f.host, func(s sighting) bool { return s.polls >= 3 }); err != nil {
		return "", err
	}
	if _, err := f.bot.awaitStatus(ctx, supervise.Status.Up); err != nil {
		return "", err
	}
	text, code, err := f.bot.get(ctx, "healthz")
	if err == nil && code != http.StatusOK {
		err = fmt.Errorf("/healthz answers %d: %s", code, text)
	}
	return fmt.Sprintf("%d %s", code, firstLine(string(text))), err
}

// samePid does what makes the bot start anew without an end, and checks that
// run-bot's process of it stayed.
func (f *luciFarm) samePid(ctx context.Context, do func() error) (pid int, err error) {
	before, err := f.bot.awaitStatus(ctx, supervise.Status.Up)
	if err != nil {
		return 0, err
	}
	logins := f.server.seen(f.host).handshakes
	if err := do(); err != nil {
		return 0, err
	}
	err = f.server.await(ctx, f.bot.process, f.host, func(s sighting) bool { return s.handshakes > logins })
	if err != nil {
		return 0, err
	}
	after, err := f.bot.awaitStatus(ctx, supervise.Status.Up)
	if err == nil && (after.Pid != before.Pid || after.Starts != before.Starts) {
		err = fmt.Errorf("process %d became %d, after %d starts", before.Pid, after.Pid, after.Starts)
	}
	return after.Pid, err
}

func (f *luciFarm) update(ctx context.Context) (string, error) {
	digest := ""
	pid, err := f.samePid(ctx, func() (err error) {
		digest, err = f.server.release("newer")
		return err
	})
	if err != nil {
		return "", err
	}
	if saw := f.server.seen(f.host); saw.version != digest {
		return "", fmt.Errorf("the bot has the version %s, not %s", saw.version, digest)
	}
	if err := f.bot.await(ctx, func() bool { return strings.Contains(f.bot.log.String(), "the bot has updated itself") }); err != nil {
		return "", err
	}
	return fmt.Sprintf("version %s in process %d; run-bot says: the bot has updated itself", short(digest), pid), nil
}

func (f *luciFarm) restart(ctx context.Context) (string, error) {
	pid, err := f.samePid(ctx, func() error {
		f.server.order(f.host, map[string]any{"cmd": "bot_restart", "message": "rehearsed"})
		return nil
	})
	return fmt.Sprintf("process %d", pid), err
}

func (f *luciFarm) terminate(ctx context.Context) (string, error) {
	before, err := f.bot.status(ctx)
	if err != nil {
		return "", err
	}
	f.server.order(f.host, map[string]any{"cmd": "terminate", "task_id": "rehearsed"})
	after, err := f.bot.awaitStatus(ctx, func(st supervise.Status) bool { return st.Starts > before.Starts && st.Up() })
	if err != nil {
		return "", err
	}
	if !strings.Contains(after.LastEnd, "terminate") || after.Failures != before.Failures {
		return "", fmt.Errorf("run-bot says, with %d failures: %s", after.Failures, after.LastEnd)
	}
	return "run-bot says: " + after.LastEnd, nil
}

func (f *luciFarm) stopBot(ctx context.Context) (string, error) {
	// A bot that has just been started may not be able to say anything yet.
	logins := f.server.seen(f.host).polls
	if err := f.server.await(ctx, f.bot.process, f.host, func(s sighting) bool { return s.polls > logins }); err != nil {
		return "", err
	}
	start := time.Now()
	if err := f.end(ctx, f.bot); err != nil {
		return "", err
	}
	took := time.Since(start).Round(10 * time.Millisecond)
	if !f.bot.cmd.ProcessState.Success() {
		return "killed, as there is no signal for that here; nothing is left", nil
	}
	saw := f.server.seen(f.host)
	if !slices.Contains(saw.events, "bot_shutdown") {
		return "", fmt.Errorf("the server has heard %q of the bot, and no bot_shutdown", saw.events)
	}
	if saw.sessions == 0 || saw.rbeStatus != "BOT_TERMINATING" {
		return "", fmt.Errorf("of its %d sessions with the scheduler the bot has left the last as %q", saw.sessions, saw.rbeStatus)
	}
	return fmt.Sprintf("exit code 0 after %s; the server has heard bot_shutdown", took), nil
}

func (f *luciFarm) keepBot(ctx context.Context) (string, error) {
	if _, err := f.server.release("plain"); err != nil {
		return "", err
	}
	var err error
	if f.bot, err = f.startBot(ctx, "bot"); err != nil {
		return "", err
	}
	_, err = f.bot.awaitStatus(ctx, supervise.Status.Up)
	return f.bot.url, err
}

// writeToken writes a token file.
func writeToken(file, token string, expiry time.Time) error {
	text, err := json.Marshal(map[string]string{
		"luci_machine_token": token, "expiry": fmt.Sprint(expiry.Unix()),
		"last_update": fmt.Sprint(expiry.Add(-tokenLifetime).Unix()), "next_update": fmt.Sprint(expiry.Add(-tokenLifetime / 2).Unix()),
	})
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, text, 0o644); err != nil {
		return err
	}
	_, err = machinetoken.ReadTokenFile(file)
	return err
}
