// Package swarmbot downloads the Swarming bot, checks what it needs before it
// starts, and keeps it running: upstream's bootstrapswarm (LUCI protocol,
// section 8) with the manners that an unattended machine needs.
//
// The bot is a Python program that updates itself, reboots the machine, and
// never ends when its credentials are bad. So a look at the process is not
// enough: its log is read as it grows, and tells what the exit code does not.
// The machine token is the token daemon's business; here its file is only read.
// The supervising itself is pkg/supervise's.
package swarmbot

import (
	"context"
	"crypto/x509"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"gobuild/pkg/hint"
	"gobuild/pkg/machinetoken"
	"gobuild/pkg/supervise"
)

// DefaultServer is the Swarming server of Go's builders.
const DefaultServer = "chromium-swarm.appspot.com"

// DefaultStopWait is how long a bot may take to end: it finishes its task
// first (LUCI protocol, section 9.4).
const DefaultStopWait = 10 * time.Minute

// Options say which bot runs, and how.
type Options struct {
	// Hostname is the bot's ID: the host name in the machine's certificate,
	// with --NN behind it for one of several bots.
	Hostname string
	// Swarming is the server, HOST or HOST:PORT.
	Swarming string
	// WorkDir is where the zip lies and the bot works; empty means
	// ~/.swarming. The bot deletes there what it does not know.
	WorkDir string
	// TokenFile holds the machine token; empty means where bots look for it.
	TokenFile string
	// TokenKept says that a token daemon at the side of this bot tells of each
	// run by TokenReported: the bot waits for its first token, for TokenWait at
	// most (0 means 2 minutes).
	TokenKept bool
	TokenWait time.Duration
	// CertFile, if not empty, is the machine's certificate, whose name has to
	// be the bot's.
	CertFile string
	// CAFile, if not empty, is a PEM file with a CA that the bot is to trust,
	// too; Roots has it already.
	CAFile string
	Roots  *x509.CertPool
	// Python is the interpreter; empty means python3 in PATH.
	Python string
	// AllowRoot lets the bot run as root, and so every task.
	AllowRoot bool
	// DownloadWait bounds the download of the bot; 0 means 5 minutes.
	DownloadWait time.Duration
	// StopWait is how long the bot may take to end when it is asked to; 0
	// means DefaultStopWait.
	StopWait time.Duration
	// Settle, Backoff and Notices are supervise's. A zero Backoff means
	// supervise.DefaultBackoff.
	Settle  time.Duration
	Backoff supervise.Backoff
	Notices supervise.Notices
	// Output gets what the bot prints.
	Output io.Writer
	// Proxy is http.ProxyFromEnvironment if nil.
	Proxy   func(*http.Request) (*url.URL, error)
	Getenv  func(string) string
	Environ []string // of the bot; os.Environ outside tests
	Log     *slog.Logger
}

// Bot is a Swarming bot under supervision.
type Bot struct {
	*supervise.Supervisor
	opts      Options
	transport *http.Transport
	release   func()
	python    python        // the last one found fit; touched by prepare only
	caBundle  string        // for the bot; empty means its own
	tokenNews chan struct{} // full after TokenReported

	wishes wishes

	mu    sync.Mutex
	known known
}

// known is what is known of the bot, for the status page.
type known struct {
	digest      string
	tokenExpiry time.Time
	token       TokenReport // the last one; zero if there was none
	python      string
	updates     int    // how often it replaced itself while it ran
	last        logged // what its log said since it started
}

// New checks what does not change by itself, and takes the work directory for
// this process. Close gives it back.
func New(opts Options) (*Bot, error) {
	b := &Bot{opts: opts, tokenNews: make(chan struct{}, 1)}
	if err := b.complete(); err != nil {
		return nil, err
	}
	if err := b.settled(); err != nil {
		return nil, err
	}
	if err := b.takeWorkDir(); err != nil {
		return nil, err
	}
	if err := b.loadWish(); err != nil {
		b.release()
		return nil, err
	}
	b.transport = &http.Transport{
		Proxy:                  b.opts.Proxy,
		DialContext:            (&net.Dialer{Timeout: connectWait}).DialContext,
		TLSClientConfig:        tlsConfig(b.opts.Roots),
		TLSHandshakeTimeout:    connectWait * 3,
		ResponseHeaderTimeout:  answerWait,
		MaxResponseHeaderBytes: 64 << 10,
		DisableKeepAlives:      true, // the next call is a restart away
	}
	if b.opts.Notices.HTTP == nil {
		b.opts.Notices.HTTP = &http.Client{Transport: b.transport}
	}
	b.Supervisor = supervise.New(supervise.Options{
		Name:     "Swarming bot " + b.opts.Hostname,
		Mark:     b.mark(),
		Prepare:  b.prepare,
		Started:  b.watch,
		Left:     b.left,
		Judge:    b.judge,
		Hold:     b.hold,
		Facts:    b.facts,
		StopWait: b.opts.StopWait,
		Settle:   b.opts.Settle,
		Backoff:  b.opts.Backoff,
		Notices:  b.opts.Notices,
		Getenv:   b.opts.Getenv,
		Log:      b.opts.Log,
	})
	return b, nil
}

// Close gives the work directory back.
func (b *Bot) Close() {
	b.transport.CloseIdleConnections()
	b.release()
}

// complete fills in what was left out.
func (b *Bot) complete() error {
	o := &b.opts
	if o.Swarming == "" {
		o.Swarming = DefaultServer
	}
	if o.Proxy == nil {
		o.Proxy = http.ProxyFromEnvironment
	}
	if o.DownloadWait == 0 {
		o.DownloadWait = 5 * time.Minute
	}
	if o.TokenWait == 0 {
		o.TokenWait = defaultTokenWait
	}
	if o.StopWait == 0 {
		o.StopWait = DefaultStopWait
	}
	if o.Backoff == (supervise.Backoff{}) {
		o.Backoff = supervise.DefaultBackoff
	}
	if o.WorkDir == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return hint.With(err, "set it, or give a directory with --workdir")
		}
		o.WorkDir = filepath.Join(home, ".swarming")
	}
	if o.TokenFile == "" {
		o.TokenFile = machinetoken.TokenFilePath(o.Getenv)
	}
	// Their bot runs in another directory than this program.
	for _, name := range []*string{&o.WorkDir, &o.TokenFile, &o.CAFile} {
		if *name == "" {
			continue
		}
		abs, err := filepath.Abs(*name)
		if err != nil {
			return err
		}
		*name = abs
	}
	return nil
}

// zip is where the bot lies; the bot itself keeps its last good version there
// (LUCI protocol, section 9.5).
func (b *Bot) zip() string { return filepath.Join(b.opts.WorkDir, "swarming_bot.zip") }

// prepare checks what may change at any time, and fetches the bot.
func (b *Bot) prepare(ctx context.Context) (*exec.Cmd, error) {
	if err := b.free(); err != nil {
		return nil, err
	}
	py, err := b.findPython(ctx)
	if err != nil {
		return nil, err
	}
	if err := b.awaitToken(ctx); err != nil {
		return nil, err
	}
	b.Say("")
	id, err := b.identify(ctx)
	if err != nil {
		return nil, err
	}
	if err := b.alone(); err != nil {
		return nil, err
	}
	digest, err := b.fetch(ctx, id)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	b.known.digest, b.known.python, b.known.last = digest, py.version+", "+py.file, logged{}
	b.mu.Unlock()
	cmd := exec.Command(py.file, b.zip(), "start_bot")
	cmd.Dir = b.opts.WorkDir
	cmd.Env = b.environ(id)
	out := &botOutput{to: b.opts.Output, line: b.saw}
	cmd.Stdout, cmd.Stderr = out, out
	return cmd, nil
}

// environ returns the environment of the bot (LUCI protocol, section 9.7).
func (b *Bot) environ(id identity) []string {
	env := append([]string{}, b.opts.Environ...)
	env = append(env, "SWARMING_BOT_ID="+id.botID)
	if !id.gce {
		env = append(env, "LUCI_MACHINE_TOKEN="+b.opts.TokenFile)
	}
	if b.caBundle != "" {
		env = append(env, "REQUESTS_CA_BUNDLE="+b.caBundle)
	}
	return env
}

// HostOf returns the host name of a bot's ID: what stands before the number
// that tells one of several bots from the others (LUCI protocol, section 10.2).
func HostOf(botID string) string {
	host, _, _ := strings.Cut(botID, "--")
	return host
}

// isFor reports whether Swarming takes a certificate or token of fqdn for one
// of the bot's (LUCI protocol, section 10.2).
func isFor(fqdn, botID string) bool {
	host := HostOf(botID)
	return fqdn == host || strings.HasPrefix(fqdn, host+".")
}
