package rehearse

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"gobuild/pkg/botcert"
	"gobuild/pkg/coordinator"
	"gobuild/pkg/machinetoken"
)

// LUCI rehearses LUCI's world: the way of a new machine from its certificate
// request to a bot that works, and then what can go wrong on it. It returns
// nil if every step passed.
func LUCI(ctx context.Context, opts Options) (err error) {
	r, err := newRun(opts)
	if err != nil {
		return err
	}
	f := &luciFarm{run: r}
	defer func() {
		err = errors.Join(err, r.close())
		if f.server != nil {
			f.server.close()
		}
	}()
	if err := f.walk(ctx); err != nil {
		return err
	}
	if err := f.breakThings(ctx); err != nil || !opts.Keep {
		return err
	}
	if err := f.take(ctx, stepWait, []luciStep{{"run-bot started again, to stay", runBotLine, f.keepBot}}); err != nil {
		return err
	}
	if opts.Ready != nil {
		opts.Ready(f.describe())
	}
	return r.wait(ctx)
}

// luciFarm is a machine with a Swarming bot, and the servers that it needs.
type luciFarm struct {
	*run
	host   string // of the machine, and the name of its bot
	server *luciServer
	interp interpreter
	bot    *supervised
}

// walk takes every step in which all goes well.
func (f *luciFarm) walk(ctx context.Context) error {
	f.host = runtime.GOOS + "-" + runtime.GOARCH + "-rehearsal"
	f.env = slices.DeleteFunc(f.env, func(kv string) bool {
		name, _, _ := strings.Cut(strings.ToUpper(kv), "=")
		// All is on this machine, and its own token, CAs and metadata server
		// are not to lead the rehearsal astray.
		return strings.HasSuffix(name, "_PROXY") ||
			slices.Contains([]string{"LUCI_MACHINE_TOKEN", "REQUESTS_CA_BUNDLE", "GCE_METADATA_HOST", "SWARMING_BOT_ID"}, name)
	})
	f.env = append(f.env, "GOBUILD_CA_FILE="+f.path(coordinator.DevCA))
	if err := f.take(ctx, keyWait, []luciStep{
		{"a CA for the farm's certificates made", "gobuild csr ca init DIR/ca", f.initCA},
		{"token server and Swarming serve over verified TLS", "", f.startServer},
		{"key and certificate request made", "gobuild csr NAME --dir DIR", f.createCSR},
	}); err != nil {
		return err
	}
	return f.take(ctx, stepWait, []luciStep{
		{"the CA signs it, and the certificate is as it has to be", "gobuild csr sign NAME.csr NAME --ca DIR/ca --out NAME.cert; gobuild csr check NAME.cert --key NAME.key --ca DIR/ca", f.sign},
		{"a token minted with the certificate", tokendLine, f.mint},
		{"the token proves the machine's name to Swarming", "", f.verifyToken},
		{"a second tokend leaves a good token alone", tokendLine, f.mintAgain},
		{"a Python for the bot found", "python3", f.findInterpreter},
		{"run-bot downloads the bot and starts it; it logs in under the right name", runBotLine, f.runBot},
		{"the bot polls, and is well", healthLine, f.polls},
		{"the server orders an update: the bot replaces itself, in the same process", "", f.update},
		{"the server orders a restart: the bot starts anew, in the same process", "", f.restart},
		{"the server ends the bot: run-bot starts it again", "", f.terminate},
		{"run-bot told to end: the bot says goodbye, and nothing is left", "kill -TERM RUN-BOT", f.stopBot},
	})
}

// luciStep is a step of a rehearsal, see run.step. In its command NAME, BACKEND
// and SERVER stand for the host and the addresses of its servers.
type luciStep struct {
	name, command string
	fn            func(context.Context) (string, error)
}

// keyWait bounds a step that makes a key, which takes minutes on slow machines.
const keyWait = 15 * time.Minute

// take takes steps until one fails; wait bounds each.
func (f *luciFarm) take(ctx context.Context, wait time.Duration, steps []luciStep) error {
	f.stepWait = wait
	for _, s := range steps {
		names := []string{"NAME", f.host}
		if f.server != nil {
			names = append(names, "BACKEND", f.server.backend(), "SERVER", f.server.addr)
		}
		if err := f.step(ctx, s.name, strings.NewReplacer(names...).Replace(s.command), s.fn); err != nil {
			return err
		}
	}
	return nil
}

func (f *luciFarm) path(name string) string { return filepath.Join(f.dir, name) }
func (f *luciFarm) fqdn() string            { return botcert.FQDN(f.host) }
func (f *luciFarm) certFile() string        { return f.path(f.host + ".cert") }
func (f *luciFarm) keyFile() string         { return f.path(f.host + ".key") }
func (f *luciFarm) tokenFile() string       { return f.path("token.json") }

// What a person would type; see luciStep.
const (
	tokendLine = "gobuild tokend --once --backend BACKEND --cert-pem NAME.cert --pkey-pem NAME.key --token-file token.json"
	runBotLine = "gobuild run-bot --hostname NAME --swarming SERVER --cert-pem NAME.cert --token-file token.json --workdir bot"
	healthLine = "curl http://HEALTH-ADDR/healthz"
)

func (f *luciFarm) initCA(ctx context.Context) (string, error) {
	text, err := f.gobuild(ctx, nil, "csr", "ca", "init", f.path("ca"))
	return firstLine(text), err
}

func (f *luciFarm) startServer(context.Context) (detail string, err error) {
	if f.server, err = startLUCI(f.dir, f.path("ca")); err != nil {
		return "", err
	}
	f.server.locked(func() { f.server.hosts[f.host] = true })
	digest, err := f.server.release("plain")
	return f.server.addr + ", with a bot of version " + short(digest), err
}

func (f *luciFarm) createCSR(ctx context.Context) (string, error) {
	if _, err := f.gobuild(ctx, nil, "csr", f.host, "--dir", f.dir); err != nil {
		return "", err
	}
	return "for " + f.fqdn(), nil
}

func (f *luciFarm) sign(ctx context.Context) (string, error) {
	text, err := f.gobuild(ctx, nil, "csr", "sign", f.path(f.host+".csr"), f.host, "--ca", f.path("ca"), "--out", f.certFile())
	if err != nil {
		return "", err
	}
	_, err = f.gobuild(ctx, nil, "csr", "check", f.certFile(), "--hostname", f.host, "--key", f.keyFile(), "--ca", f.path("ca"))
	return firstLine(text), err
}

// tokendArgs is a command line that asks for a token.
func (f *luciFarm) tokendArgs(certFile, tokenFile string, more ...string) []string {
	return append([]string{"tokend", "--once", "--backend", f.server.backend(), "--cert-pem", certFile, "--pkey-pem", f.keyFile(),
		"--token-file", tokenFile}, more...)
}

// tokend runs that and returns what became of it.
func (f *luciFarm) tokend(ctx context.Context) (outcome string, err error) {
	text, err := f.gobuild(ctx, nil, f.tokendArgs(f.certFile(), f.tokenFile(), "--json")...)
	if err != nil {
		return "", err
	}
	var result struct{ Outcome string }
	err = json.Unmarshal([]byte(text), &result)
	return result.Outcome, err
}

func (f *luciFarm) mint(ctx context.Context) (string, error) {
	if _, err := f.tokend(ctx); err != nil {
		return "", err
	}
	token, err := machinetoken.ReadTokenFile(f.tokenFile())
	if err != nil {
		return "", err
	}
	left := time.Until(token.Expiry).Round(time.Minute)
	if left != tokenLifetime {
		return "", fmt.Errorf("the token is good for %s, not %s", left, tokenLifetime)
	}
	return "good for " + left.String(), nil
}

func (f *luciFarm) verifyToken(context.Context) (string, error) {
	token, err := machinetoken.ReadTokenFile(f.tokenFile())
	if err != nil {
		return "", err
	}
	bot, err := f.server.verify.Verify(token.Token)
	if err != nil {
		return "", err
	}
	if bot.FQDN != f.fqdn() || bot.CA != caID {
		return "", fmt.Errorf("the token is for %s of CA %d", bot.FQDN, bot.CA)
	}
	for _, secret := range []string{f.keyFile(), f.path("ca/" + botcert.CAKeyFile)} {
		info, err := os.Stat(secret)
		if err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
			err = fmt.Errorf("%s can be read by others: mode %s", secret, info.Mode())
		}
		if err != nil {
			return "", err
		}
	}
	return bot.Identity(), nil
}

func (f *luciFarm) mintAgain(ctx context.Context) (string, error) {
	before, err := os.ReadFile(f.tokenFile())
	if err != nil {
		return "", err
	}
	outcome, err := f.tokend(ctx)
	if err != nil {
		return "", err
	}
	after, err := os.ReadFile(f.tokenFile())
	if err == nil && (string(before) != string(after) || outcome != machinetoken.OutcomeGood) {
		err = fmt.Errorf("the token was replaced: outcome %s", outcome)
	}
	return outcome, err
}

func (f *luciFarm) findInterpreter(ctx context.Context) (string, error) {
	var err error
	f.interp, err = findInterpreter(ctx, f.dir, f.opts.Program)
	return f.interp.about, err
}

// describe says how to use the farm.
func (f *luciFarm) describe() Farm {
	host := f.host
	direct := "localhost" // a proxy knows no LOCALHOST, see backend
	if set := os.Getenv("NO_PROXY"); set != "" {
		direct += "," + set
	}
	plain := f.tokendArgs(f.certFile(), f.path("token-plain.json"), "--verbose")
	plain[slices.Index(plain, "--backend")+1] = f.server.plain
	return Farm{Dir: f.dir, StatusURL: f.bot.url, TokenServer: f.server.plain, Env: []string{
		"GOBUILD_CA_FILE=" + f.path(coordinator.DevCA), "SSL_CERT_FILE=" + f.path(coordinator.DevCA),
		"LUCI_MACHINE_TOKEN=" + f.tokenFile(), "GOBUILD_BACKEND=" + f.server.backend(), "GOBUILD_SWARMING=" + f.server.addr, "NO_PROXY=" + direct,
	}, Try: []string{
		"gobuild csr check " + f.certFile() + " --hostname " + host + " --key " + f.keyFile() + " --ca " + f.path("ca"),
		"gobuild csr ca list --ca " + f.path("ca"),
		"gobuild " + shellWords(f.tokendArgs(f.certFile(), f.tokenFile(), "--force-refresh", "--verbose")),
		"gobuild " + shellWords(plain),
	}}
}

// short returns the beginning of a digest.
func short(digest string) string { return digest[:min(12, len(digest))] }

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return line
}

// exists reports whether there is a file.
func exists(file string) bool {
	_, err := os.Stat(file)
	return !errors.Is(err, fs.ErrNotExist)
}
