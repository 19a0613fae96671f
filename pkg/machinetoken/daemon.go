package machinetoken

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"time"

	"gobuild/pkg/hint"
	"gobuild/pkg/version"
)

// DefaultBackend is the token server of the Go project's farm (LUCI protocol,
// section 1).
const DefaultBackend = "luci-token-server.appspot.com"

// DefaultTimeout bounds the calls of one run, with all attempts (LUCI
// protocol, section 7.1). A request is of no use after ten minutes.
const DefaultTimeout = time.Minute

// minLifetime is what a token's life is taken for if it is shorter (LUCI
// protocol, section 7.4).
const minLifetime = 5 * time.Minute

// Daemon gets machine tokens and keeps them in a file, as luci_machine_tokend
// does (LUCI protocol, section 7). Its methods may not be used by several
// goroutines at once, ServeHTTP apart.
type Daemon struct {
	// Backend is the token server, HOST or HOST:PORT. One that begins with
	// "localhost:" or "127.0.0.1:" is called without TLS.
	Backend string
	// CertFile and KeyFile are PEM files, of a certificate and its RSA key.
	CertFile, KeyFile string
	// TokenFile is where the token is kept, and Copies are further places.
	TokenFile string
	Copies    []string
	// StatusFile is where each run's outcome is written; empty for nowhere.
	StatusFile string
	// Timeout bounds the calls of one run; 0 means DefaultTimeout.
	Timeout time.Duration
	// Force asks for a token at the first run even if the one in the file is
	// good.
	Force bool
	// Roots are the trusted CA certificates; nil means the system's.
	Roots *x509.CertPool
	// Log gets a line an event; nil for none.
	Log *slog.Logger
	// Report, if not nil, is told of each run when it has ended.
	Report func(Result)
	// Now is the clock; nil means time.Now.
	Now func() time.Time

	tick    time.Duration // of tests; 0 means the constant
	lock    *tokenLock
	noted   map[string]bool // notes that the log has
	metrics metrics
}

// Result is what came of a run.
type Result struct {
	// Outcome and Reason are in the words of the status file (LUCI protocol,
	// section 7.7).
	Outcome, Reason string
	// FQDN is the machine's name in the token; empty if there is none.
	FQDN string
	// Expiry, LastUpdate and NextUpdate are those of the token in the file,
	// which is the old one if the run failed; zero if there is none.
	Expiry, LastUpdate, NextUpdate time.Time
	// ServiceVersion is the token server's, if it was asked and said it.
	ServiceVersion string
	// Attempts is how often the server was asked, and CallTime how long that
	// took.
	Attempts int
	CallTime time.Duration
	// Skew is what the server told about this machine's clock.
	Skew Skew
	// Notes are about what worked all the same.
	Notes []Note
	// Err is why the run failed; it may have a hint.
	Err error
	// Transient is set if Err may be over a little later.
	Transient bool

	token TokenFile
}

func (d *Daemon) now() time.Time {
	if d.Now != nil {
		return d.Now()
	}
	return time.Now()
}

func (d *Daemon) timeout() time.Duration {
	if d.Timeout > 0 {
		return d.Timeout
	}
	return DefaultTimeout
}

// tokendVersion is the version in the files; luci_machine_tokend does not mind
// it.
func tokendVersion() string { return "gobuild/" + version.String() }

// Once does one run: it gets a token if the one in the file is not good any
// more, and writes the status file. A cancelled context ends it within moments
// and leaves no file half-written.
func (d *Daemon) Once(ctx context.Context) Result {
	start, clock := d.now(), time.Now()
	dump := &logDump{}
	own := slog.NewTextHandler(dump, &slog.HandlerOptions{Level: slog.LevelDebug})
	log := slog.New(own)
	if d.Log != nil {
		log = slog.New(slog.NewMultiHandler(own, d.Log.Handler()))
	}
	r := d.run(ctx, log)
	d.metrics.count(r, start, time.Since(clock)) // before the log tells of it
	switch {
	case r.Outcome == OutcomeSuccess:
		log.Info("new token", "host", r.FQDN, "reason", r.Reason, "until", r.Expiry.UTC().Format(time.RFC3339), "next", r.NextUpdate.UTC().Format(time.RFC3339))
	case r.Err != nil:
		log.Debug("no token", "outcome", r.Outcome, "err", r.Err)
	}
	if d.StatusFile != "" {
		if err := saveStatus(ctx, d.StatusFile, r, start, time.Since(clock), dump.String()); err != nil {
			// The token is what counts.
			r.Notes = append(r.Notes, Note{Text: fmt.Sprintf("no status file: %v", err), Hint: hint.Of(err)})
		}
	}
	if d.Report != nil {
		d.Report(r)
	}
	return r
}

func (d *Daemon) run(ctx context.Context, log *slog.Logger) (r Result) {
	stored := d.readStored(&r)
	in, err := readInputs(d.Backend, d.CertFile, d.KeyFile)
	r.Notes = append(r.Notes, in.notes...)
	if ctx.Err() != nil {
		return r.failed(grpcOutcome(codeCanceled), ctx.Err())
	}
	if err != nil {
		// As luci_machine_tokend, whatever else is the matter.
		if r.Reason = ReasonParams; stored.NextUpdate.IsZero() {
			r.Reason = ReasonNew
		}
		return r.failed(OutcomeCantReadKey, err)
	}
	r.Reason = reason(stored, in.digest, d.Force, d.now())
	if r.Reason == ReasonGood && !d.staleCopies(stored) {
		r.Outcome = OutcomeGood
		log.Debug("the token is good", "until", stored.Expiry, "next", stored.NextUpdate)
		return r
	}
	if d.lock == nil {
		lock, err := d.waitForLock(ctx, &r)
		if err != nil || lock == nil {
			return r
		}
		defer lock.unlock()
		// The one who had it may have got a token.
		if stored = d.readStored(&r); r.Reason != ReasonForced {
			r.Reason = reason(stored, in.digest, false, d.now())
		}
	}
	for _, file := range d.files() {
		sweep(file)
	}
	if r.Reason == ReasonGood {
		return d.copyAgain(ctx, r, stored)
	}
	d.noteOwner(&r)
	return d.refresh(ctx, r, in, log)
}

// readStored reads the token file. What cannot be read counts as not there.
func (d *Daemon) readStored(r *Result) TokenFile {
	f, err := ReadTokenFile(d.TokenFile)
	if err == nil && len(f.Unknown) > 0 {
		err = fmt.Errorf("token file %s has fields that no token file has: %q", d.TokenFile, f.Unknown)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		r.note(err.Error()+"; it counts as not there", "")
	}
	if err != nil {
		f = TokenFile{}
	}
	r.setToken(f)
	return f
}

// reason decides whether a token is to be asked for, and why (LUCI protocol,
// section 7.4). Unlike luci_machine_tokend it does not take a token for good
// that has ended, which can be if the clock was set meanwhile.
func reason(stored TokenFile, digest string, force bool, now time.Time) string {
	switch {
	case stored.NextUpdate.IsZero():
		return ReasonNew
	case now.After(stored.NextUpdate), !stored.Expiry.After(now):
		return ReasonExpires
	case stored.State.InputsDigest != digest:
		return ReasonParams
	case force:
		return ReasonForced
	}
	return ReasonGood
}

// refresh asks for a token and saves it.
func (d *Daemon) refresh(ctx context.Context, r Result, in inputs, log *slog.Logger) Result {
	request, err := newRequest(in.cert, in.key, d.now())
	if err != nil {
		return r.failed(OutcomeCantReadKey, err)
	}
	c := newClient(d.Backend, d.Roots)
	c.skew.now = d.Now
	defer c.close()
	start := time.Now()
	body, attempts, failed := c.call(ctx, request, d.timeout(), log)
	r.Attempts, r.CallTime, r.Skew = attempts, time.Since(start), c.skew.value()
	if failed != nil {
		r.Transient = failed.Transient()
		return r.failed(grpcOutcome(failed.Code), explain(failed, in.cert, r.Skew, d.now()))
	}
	got, err := parseAnswer(body)
	r.ServiceVersion = oneLine(got.serviceVersion)
	if err != nil {
		outcome := malformedResponse
		if mint, ok := errors.AsType[*MintError](err); ok {
			outcome = "MINT_TOKEN_ERROR_" + mint.Code.String()
		} else if answer, ok := errors.AsType[*answerError](err); ok {
			outcome = answer.outcome
		}
		return r.failed(outcome, explain(err, in.cert, r.Skew, d.now()))
	}
	if r.Skew.Known && r.Skew.Ahead.Abs() > maxSkew/2 {
		r.note("this machine's clock is "+r.Skew.String(), "set the clock and keep it with NTP: at 10 minutes the server gives no tokens")
	}
	file := d.newFile(got, in.digest, &r)
	text, err := file.Marshal()
	if err != nil {
		return r.failed(unknownSaveTokenError, err)
	}
	for _, path := range d.files() {
		if err := saveFile(ctx, path, text); err != nil {
			return r.failed(saveOutcome(err), err)
		}
		if path == d.TokenFile {
			r.setToken(file)
		}
	}
	r.Outcome = OutcomeSuccess
	return r
}

// newFile returns the token file for what the server gave.
func (d *Daemon) newFile(got minted, digest string, r *Result) TokenFile {
	now := d.now()
	life := got.expiry.Sub(now)
	if life < minLifetime {
		r.note(fmt.Sprintf("the token is good for %s only, by this machine's clock", life.Round(time.Second)), "the clock may be ahead of the server's; "+clockAdvice(r.Skew, now))
		life = minLifetime
	}
	return TokenFile{
		Token: got.token, Expiry: got.expiry, LastUpdate: now, NextUpdate: now.Add(life / 2),
		State: TokendState{InputsDigest: digest, Version: tokendVersion()},
	}
}

// failed returns r with the outcome of a failure.
func (r Result) failed(outcome string, err error) Result {
	r.Outcome, r.Err = outcome, err
	return r
}

func (r *Result) note(text, advice string) {
	if note := (Note{Text: text, Hint: advice}); !slices.Contains(r.Notes, note) {
		r.Notes = append(r.Notes, note)
	}
}

func (r *Result) setToken(f TokenFile) {
	r.token, r.FQDN = f, ""
	r.Expiry, r.LastUpdate, r.NextUpdate = f.Expiry, f.LastUpdate, f.NextUpdate
	if body, err := ParseToken(f.Token); err == nil {
		r.FQDN = body.FQDN
	}
}

// maxLogDump bounds the log in a status file, in bytes.
const maxLogDump = 64 << 10

// logDump is the log of a run.
type logDump struct{ bytes.Buffer }

func (l *logDump) Write(line []byte) (int, error) {
	if l.Len()+len(line) <= maxLogDump {
		l.Buffer.Write(line)
	}
	return len(line), nil
}
