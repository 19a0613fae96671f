package swarmbot

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gobuild/pkg/atomicfile"
	"gobuild/pkg/botcert"
	"gobuild/pkg/diskspace"
	"gobuild/pkg/hint"
	"gobuild/pkg/machinetoken"
	"gobuild/pkg/supervise"
)

const (
	// tokenSpare is what a token has to be good for: with less the bot asks
	// for another (LUCI protocol, section 9.8).
	tokenSpare = 10 * time.Minute
	// minFree is without how much free disk the bot is not started, in bytes.
	// What it lacks beyond that it may free itself, from its caches.
	minFree = 256 << 20
	gib     = 1 << 30
)

// settled checks what stays as it is until somebody mends it: the name, the
// user, the certificate, the work directory.
func (b *Bot) settled() error {
	o := &b.opts
	if o.Hostname == "" && !b.onGCE() {
		return hint.With(errors.New("the bot has no name"), "give the host name in its certificate with --hostname, or put hostname into the configuration")
	}
	if o.Hostname != "" && !b.onGCE() {
		if _, err := botcert.CheckHost(HostOf(o.Hostname), true); err != nil {
			return err
		}
	}
	if strings.Contains(o.Swarming, "/") {
		return hint.With(fmt.Errorf("bad Swarming server %q", o.Swarming), "write HOST or HOST:PORT; it is called by https")
	}
	if isRoot() && !o.AllowRoot {
		return hint.With(errors.New("this is root, and so would be the bot and every task that it is given"),
			"run it as a user of its own that owns nothing else, such as swarming; --allow-root takes the risk")
	}
	if home, err := os.UserHomeDir(); err == nil && filepath.Clean(home) == filepath.Clean(o.WorkDir) {
		return hint.With(fmt.Errorf("the work directory %s is the home directory: the bot deletes in its directory what it does not know, and so refuses to work there", o.WorkDir),
			"give a directory of its own, such as %s", filepath.Join(o.WorkDir, ".swarming"))
	}
	if o.CertFile == "" {
		return nil
	}
	cert, _, err := botcert.ReadCertificate(o.CertFile)
	if errors.Is(err, fs.ErrPermission) {
		o.Log.Warn("the certificate cannot be read; the token shows its name as well", "file", o.CertFile)
		return nil
	}
	if err != nil {
		return err
	}
	if name := strings.ToLower(cert.Subject.CommonName); !isFor(name, o.Hostname) {
		return hint.With(fmt.Errorf("the certificate %s is for %s, but the bot is called %s", o.CertFile, name, o.Hostname),
			"Swarming would answer 403: --hostname has to be the name in the certificate, without the domain")
	}
	if left := time.Until(cert.NotAfter); left < 0 {
		o.Log.Error("the certificate has expired: there will be no new token", "file", o.CertFile, "on", cert.NotAfter.UTC())
	}
	return nil
}

// takeWorkDir makes the work directory and locks it.
func (b *Bot) takeWorkDir() error {
	dir := b.opts.WorkDir
	// The bot keeps what is in logs, and deletes a lock file elsewhere, which
	// another process could then make and lock anew.
	logs := filepath.Join(dir, "logs")
	if err := os.MkdirAll(logs, 0o755); err != nil {
		return hint.With(fmt.Errorf("work directory: %w", err), "let this user make it, or give another with --workdir")
	}
	release, err := supervise.Lock(lockFile(dir))
	if err != nil {
		return err
	}
	b.release = release
	if b.caBundle, err = b.bundle(); err != nil {
		release()
		return err
	}
	return nil
}

// lockFile returns the file of the lock on a work directory.
func lockFile(dir string) string { return filepath.Join(dir, "logs", "gobuild-run-bot.lock") }

// systemBundle is where the bot looks for its roots first.
const systemBundle = "/etc/ssl/certs/ca-certificates.crt"

// bundle writes the CAs that the bot is to trust, and returns the file: Python
// takes one list in place of its own (LUCI protocol, section 9.2), and a
// task calls public servers too. It is empty if the bot's own list will do.
func (b *Bot) bundle() (string, error) {
	if b.opts.CAFile == "" {
		return "", nil
	}
	if given := b.opts.Getenv("REQUESTS_CA_BUNDLE"); given != "" {
		b.opts.Log.Info("the bot trusts the CAs in REQUESTS_CA_BUNDLE, whether the one of --ca-file is among them or not", "file", given)
		return "", nil
	}
	own, err := atomicfile.Read(b.opts.CAFile, 1<<20)
	if err != nil {
		return "", fmt.Errorf("CA file: %w", err)
	}
	public, err := atomicfile.Read(systemBundle, 8<<20)
	if err != nil {
		return b.opts.CAFile, nil
	}
	all := bytes.Join([][]byte{bytes.TrimSpace(public), bytes.TrimSpace(own), nil}, []byte("\n"))
	file := filepath.Join(b.opts.WorkDir, "gobuild-cacert.pem") // a name that the bot does not delete
	if there, err := atomicfile.Read(file, 16<<20); err == nil && bytes.Equal(there, all) {
		return file, nil
	}
	return file, atomicfile.Replace(file, all, 0o644)
}

// markName is the variable that marks the processes of a bot.
const markName = "GOBUILD_RUN_BOT"

// mark returns what marks them: the same for each run in this directory, so
// that what an earlier one left is found. A gobuild that runs as a task of a
// bot keeps that bot's mark before its own.
func (b *Bot) mark() string {
	sum := sha256.Sum256([]byte(b.opts.WorkDir))
	return markName + "=" + b.opts.Getenv(markName) + "/" + hex.EncodeToString(sum[:12])
}

// identify returns what proves who this machine is, if it will be good for a
// while.
func (b *Bot) identify(ctx context.Context) (identity, error) {
	if b.onGCE() {
		return b.gceIdentity(ctx)
	}
	const start = "the token daemon renews it every 10 minutes: gobuild tokend, or luci_machine_tokend; gobuild doctor --for luci says what keeps it from that"
	file := b.opts.TokenFile
	token, err := machinetoken.ReadTokenFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return identity{}, hint.With(err, "%s", start)
	case errors.Is(err, fs.ErrPermission):
		return identity{}, hint.With(err, "the bot's user has to be able to read it: chmod 644 %s, and 755 for the directories on the way", file)
	case err != nil:
		return identity{}, err
	case token.Token == "":
		return identity{}, hint.With(fmt.Errorf("token file %s holds no machine token", file), "%s", start)
	}
	b.mu.Lock()
	b.known.tokenExpiry = token.Expiry
	b.mu.Unlock()
	left := time.Until(token.Expiry).Round(time.Second)
	switch {
	case token.Expiry.IsZero():
		b.opts.Log.Warn("the token file does not say when the token ends", "file", file)
	case left <= 0:
		return identity{}, hint.With(fmt.Errorf("the machine token in %s expired %s ago", file, -left), "%s", start)
	case left < tokenSpare:
		return identity{}, hint.With(fmt.Errorf("the machine token in %s is good for %s only, and the bot wants %s", file, left, tokenSpare), "%s", start)
	}
	body, err := machinetoken.ParseToken(token.Token)
	switch {
	case err != nil:
		// What it is made of is the server's business; so is whether to
		// take it.
		b.opts.Log.Warn("the machine token cannot be read; the server has to judge it", "file", file, "err", err)
	case !isFor(body.FQDN, b.opts.Hostname):
		return identity{}, hint.With(fmt.Errorf("the machine token in %s is for %s, but the bot is called %s", file, body.FQDN, b.opts.Hostname),
			"Swarming would answer 403: --hostname has to be the name in the certificate, without the domain")
	}
	return identity{botID: b.opts.Hostname, token: token.Token}, nil
}

// free wants the least of free disk, and foretells a quarantine.
func (b *Bot) free() error {
	space, ok := diskspace.Of(b.opts.WorkDir)
	if !ok {
		return nil
	}
	if space.Free < minFree {
		return hint.With(fmt.Errorf("%d MB are free for %s, and the bot cannot work with less than %d", space.Free>>20, b.opts.WorkDir, minFree>>20),
			"free some; c, cipd_cache and cas_cache in it may be deleted while the bot does not run")
	}
	if want := quarantineFree(space.Total); space.Free < want {
		b.opts.Log.Warn("the bot may quarantine itself for want of free disk", "dir", b.opts.WorkDir, "free-mb", space.Free>>20, "wanted-mb", want>>20)
	}
	return nil
}

// quarantineFree returns how many free bytes the bot wants on the file system
// of its directory (LUCI protocol, section 9.9).
func quarantineFree(total int64) int64 {
	size := float64(total)
	return int64(max(size*0.07, min(4*gib, size*0.15)))
}

// left returns the process of a bot that runs in the work directory, or 0. It
// is -1 if it cannot be told.
func (b *Bot) left() int {
	lock := filepath.Join(b.opts.WorkDir, "swarming.lck")
	switch pid := supervise.LockHolder(lock); {
	case !supervise.Locked(lock):
		return 0
	case pid > 0:
		return pid
	}
	return -1
}

// alone makes sure that no bot runs in the work directory. A second one would
// reboot the machine (LUCI protocol, section 9.1).
func (b *Bot) alone() error {
	pid := b.left()
	if pid == 0 {
		return nil
	}
	who := "a process"
	if pid > 0 {
		who = fmt.Sprintf("process %d", pid)
	}
	return hint.With(fmt.Errorf("a bot runs in %s already: %s holds swarming.lck", b.opts.WorkDir, who),
		"stop the service or person that started it; a second bot would reboot this machine after 5 minutes")
}

// tlsConfig returns the settings for verified TLS.
func tlsConfig(roots *x509.CertPool) *tls.Config {
	return &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
}
