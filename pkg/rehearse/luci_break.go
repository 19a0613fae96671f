package rehearse

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"time"

	"gobuild/pkg/botcert"
	"gobuild/pkg/supervise"
)

// breakThings takes the steps in which something is wrong, and the tools have
// to say what.
func (f *luciFarm) breakThings(ctx context.Context) error {
	const tokend, runBot = "gobuild tokend --once ...", "gobuild run-bot --once ..."
	return f.take(ctx, stepWait, []luciStep{
		{"this machine's clock 11 minutes behind: tokend says so", tokend + " --force-refresh", f.clockOff},
		{"certificate revoked: tokend and csr check say so", "gobuild csr ca revoke SERIAL --ca DIR/ca; " + tokend + "; gobuild csr check second.cert --ca DIR/ca --crl ca.crl", f.revoked},
		{"token expired: run-bot says so", runBot, f.tokenExpired},
		{"token expired, but its file says otherwise: Swarming answers 401, run-bot says why", runBot, f.tokenRefused},
		{"no token daemon has run: run-bot says so", runBot, f.noToken},
		{"wrong --hostname: run-bot says so", "gobuild run-bot --hostname OTHER ...", f.wrongHost},
		{"bot not entered at Swarming yet: 403 at /bot_code, run-bot says why", runBot, f.notEntered},
		{"the download of the bot is empty: run-bot says so", runBot, f.emptyDownload},
		{"the download of the bot is not what it should be: run-bot says so", runBot, f.alteredDownload},
		{"the bot runs, but is refused at its handshake: run-bot says so, and when that is over", healthLine, f.lockedOut},
		{"the bot is quarantined: run-bot says so", healthLine, f.quarantine},
		{"the bot dies, again and again: run-bot says why, and gives up for a while", healthLine, f.dies},
	})
}

// fails runs a command that has to fail and to say why, in words that match
// each of want. It returns what the command said.
func (f *luciFarm) fails(ctx context.Context, args []string, want ...string) (string, error) {
	cmd := f.command(ctx, args...)
	cmd.Cancel = func() error {
		if cmd.Process.Signal(os.Interrupt) != nil {
			return cmd.Process.Kill() // there is no such signal here
		}
		return nil
	}
	var talk bytes.Buffer
	cmd.Stdout, cmd.Stderr = &talk, &talk
	err := cmd.Run()
	text := talk.String()
	exit, ended := errors.AsType[*exec.ExitError](err)
	switch {
	case ctx.Err() != nil:
		return "", fmt.Errorf("%w; it said: %s", context.Cause(ctx), tail(text, 5))
	case err == nil:
		return "", fmt.Errorf("gobuild %s did not fail: %s", args[0], tail(text, 5))
	case !ended:
		return "", err
	case exit.ExitCode() != 1:
		return "", fmt.Errorf("gobuild %s: %w, not exit code 1: %s", args[0], err, tail(text, 5))
	}
	for _, re := range want {
		if !regexp.MustCompile(re).MatchString(text) {
			return "", fmt.Errorf("gobuild %s does not name the cause %q; it said: %s", args[0], re, tail(text, 8))
		}
	}
	return said(text), nil
}

// said returns the lines of error and hint from what a command said, or all of
// it if it has none.
func said(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "error: ") || strings.HasPrefix(line, "hint: ") {
			lines = append(lines, line)
		}
	}
	if lines == nil {
		return tail(text, 3)
	}
	return strings.Join(lines, " | ")
}

func (f *luciFarm) clockOff(ctx context.Context) (string, error) {
	set := func(ahead time.Duration) { f.server.locked(func() { f.server.ahead = ahead }) }
	set(11 * time.Minute)
	defer set(0)
	before, err := os.ReadFile(f.tokenFile())
	if err != nil {
		return "", err
	}
	detail, err := f.fails(ctx, f.tokendArgs(f.certFile(), f.tokenFile(), "--force-refresh"), "BAD_TIMESTAMP", `1[01]m\d+s behind the server's`)
	if err != nil {
		return "", err
	}
	if after, err := os.ReadFile(f.tokenFile()); err != nil || !bytes.Equal(before, after) {
		return "", fmt.Errorf("the good token is gone (%v)", err)
	}
	return detail, nil
}

// revoked revokes a second certificate of the same key, as one that is renewed.
func (f *luciFarm) revoked(ctx context.Context) (string, error) {
	second, token, list := f.path("second.cert"), f.path("second.json"), f.path("ca.crl")
	if _, err := f.gobuild(ctx, nil, "csr", "sign", f.path(f.host+".csr"), f.host, "--ca", f.path("ca"), "--out", second); err != nil {
		return "", err
	}
	if _, err := f.gobuild(ctx, nil, f.tokendArgs(second, token)...); err != nil {
		return "", fmt.Errorf("before it is revoked: %w", err)
	}
	cert, _, err := botcert.ReadCertificate(second)
	if err != nil {
		return "", err
	}
	for _, args := range [][]string{
		{"csr", "ca", "revoke", cert.SerialNumber.Text(16), "--ca", f.path("ca")},
		{"csr", "ca", "crl", "--ca", f.path("ca"), "--out", list},
	} {
		if _, err := f.gobuild(ctx, nil, args...); err != nil {
			return "", err
		}
	}
	detail, err := f.fails(ctx, f.tokendArgs(second, token, "--force-refresh"), "UNTRUSTED_CERTIFICATE", "revoked")
	if err != nil {
		return "", err
	}
	cause := ""
	f.server.locked(func() { cause = f.server.minted.Cause })
	if !strings.Contains(cause, "has been revoked") {
		return "", fmt.Errorf("the token server refused it for another cause: %s", cause)
	}
	_, err = f.fails(ctx, []string{"csr", "check", second, "--ca", f.path("ca"), "--crl", list}, "revoked")
	return detail, err
}

// onceArgs is a run-bot that runs once, in a new directory.
func (f *luciFarm) onceArgs(dir, tokenFile string) []string {
	return f.runBotArgs(f.host, f.path(dir), tokenFile, "--once")
}

func (f *luciFarm) tokenExpired(ctx context.Context) (string, error) {
	token, end, err := f.server.expired(f.fqdn(), 17*time.Minute)
	if err != nil {
		return "", err
	}
	if err := writeToken(f.path("expired.json"), token, end); err != nil {
		return "", err
	}
	return f.fails(ctx, f.onceArgs("bot-expired", f.path("expired.json")), `expired 17m\d+s ago`, "token daemon")
}

func (f *luciFarm) tokenRefused(ctx context.Context) (string, error) {
	token, _, err := f.server.expired(f.fqdn(), 17*time.Minute)
	if err != nil {
		return "", err
	}
	if err := writeToken(f.path("lying.json"), token, time.Now().Add(tokenLifetime)); err != nil {
		return "", err
	}
	detail, err := f.fails(ctx, f.onceArgs("bot-refused", f.path("lying.json")), "401 Unauthorized: bad machine token", "it has expired")
	if err != nil {
		return "", err
	}
	f.server.locked(func() { err = f.server.refused })
	if err == nil || !strings.Contains(err.Error(), "it expired 17m") {
		return "", fmt.Errorf("the server refused it for another cause: %w", err)
	}
	return detail, nil
}

func (f *luciFarm) noToken(ctx context.Context) (string, error) {
	return f.fails(ctx, f.onceArgs("bot-no-token", f.path("none.json")), `none\.json`, "token daemon")
}

func (f *luciFarm) wrongHost(ctx context.Context) (string, error) {
	args := f.runBotArgs(f.host+"2", f.path("bot-wrong-host"), f.tokenFile(), "--once")
	return f.fails(ctx, args, "is for "+regexp.QuoteMeta(f.fqdn()), "--hostname")
}

func (f *luciFarm) notEntered(ctx context.Context) (string, error) {
	f.enter(false)
	defer f.enter(true)
	return f.fails(ctx, f.onceArgs("bot-not-entered", f.tokenFile()), `403 Forbidden: the caller "bot:`+regexp.QuoteMeta(f.fqdn())+`"`, "has not entered the bot")
}

// enter says whether Swarming knows the machine.
func (f *luciFarm) enter(known bool) {
	f.server.locked(func() { f.server.hosts[f.host] = known })
}

// badDownload has the bot's download answered in another way.
func (f *luciFarm) badDownload(ctx context.Context, dir string, instead func(http.ResponseWriter), want ...string) (string, error) {
	set := func(fn func(http.ResponseWriter)) { f.server.locked(func() { f.server.download = fn }) }
	set(instead)
	defer set(nil)
	detail, err := f.fails(ctx, f.onceArgs(dir, f.tokenFile()), want...)
	if err == nil && exists(f.path(dir+"/swarming_bot.zip")) {
		err = errors.New("it has kept what it was sent")
	}
	return detail, err
}

func (f *luciFarm) emptyDownload(ctx context.Context) (string, error) {
	return f.badDownload(ctx, "bot-empty", func(w http.ResponseWriter) { w.WriteHeader(http.StatusOK) }, "is no bot: it is empty")
}

func (f *luciFarm) alteredDownload(ctx context.Context) (string, error) {
	other, err := newRelease("https://elsewhere.invalid", "plain")
	if err != nil {
		return "", err
	}
	return f.badDownload(ctx, "bot-altered", func(w http.ResponseWriter) { w.Write(other.zip) }, "has the content digest "+other.digest)
}

// ails runs a bot of some kind until run-bot says what is wrong with it, which
// has to match want, and /healthz says so too. It returns what run-bot says.
// Then then is called, if it is not nil.
func (f *luciFarm) ails(ctx context.Context, dir, kind, want string, then func(*supervised) error) (string, error) {
	if _, err := f.server.release(kind); err != nil {
		return "", err
	}
	b, err := f.startBot(ctx, dir)
	if err != nil {
		return "", err
	}
	cause := regexp.MustCompile(want)
	st, err := b.awaitStatus(ctx, func(st supervise.Status) bool { return cause.MatchString(st.Line()) })
	if err != nil {
		return "", fmt.Errorf("run-bot does not name the cause %q: %w", want, err)
	}
	text, code, err := b.get(ctx, "healthz")
	if err == nil && code != http.StatusServiceUnavailable {
		err = fmt.Errorf("/healthz answers %d: %s", code, text)
	}
	if err == nil && then != nil {
		err = then(b)
	}
	if err != nil {
		return "", err
	}
	return st.Line(), f.end(ctx, b)
}

// lockedOut refuses the bot at its login, and lets it in when run-bot has said
// so.
func (f *luciFarm) lockedOut(ctx context.Context) (string, error) {
	closed := func(yes bool) { f.server.locked(func() { f.server.closed = yes }) }
	closed(true)
	defer closed(false)
	detail, err := f.ails(ctx, "bot-locked-out", "plain", "Swarming does not know this bot", func(b *supervised) error {
		closed(false)
		_, err := b.awaitStatus(ctx, supervise.Status.Up)
		return err
	})
	return detail + "; and let in, that it is well", err
}

func (f *luciFarm) quarantine(ctx context.Context) (string, error) {
	detail, err := f.ails(ctx, "bot-quarantine", "quarantine", "quarantined: > 1024 files in TEMP", nil)
	if err == nil && f.server.seen(f.host).quarantine == "" {
		err = errors.New("the bot has not told the server")
	}
	return detail, err
}

func (f *luciFarm) dies(ctx context.Context) (string, error) {
	return f.ails(ctx, "bot-dies", "crash", "given up: .*it crashed: exit status 1.*this bot was made to die", nil)
}
