package stage0

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"path"
	"slices"
	"time"

	"gobuild/pkg/hint"
	"gobuild/pkg/netdial"
	"gobuild/pkg/ports"
	"gobuild/pkg/release"
	"gobuild/pkg/supervise"
)

// Fetcher keeps one program up to date. Its methods may be called by several
// goroutines and processes; those that change something exclude each other.
type Fetcher struct {
	// URL is where the program is published; its digest and signature are at
	// the same with .sha256 and .sig behind the path.
	URL string
	// File is where it is kept.
	File string
	// Keys are the public keys of whom releases are taken. Without any, only
	// AllowUnsigned lets a program pass, by https or from this machine.
	Keys []release.PublicKey
	// Port is GOOS-GOARCH of this machine.
	Port string
	// AllowDowngrade takes a release that was signed before the present one.
	AllowDowngrade bool
	// AllowUnsigned takes programs that nobody has signed, if Keys is empty.
	AllowUnsigned bool
	// HTTP makes the requests; nil means a client with sensible limits. It
	// should have no Timeout, which a slow line would run into.
	HTTP *http.Client
	// Progress is told about ten times a second how many bytes are there, of
	// how many (-1 if the server does not say), and how many come a second.
	Progress func(done, total int64, rate float64)
	// Log gets what happens; nil means slog.Default.
	Log *slog.Logger

	// MaxSize bounds the program, in bytes; 0 means 512 MiB.
	MaxSize int64
	// StallWait is how long no byte may come; 0 means 30 s.
	StallWait time.Duration
	// Attempts is how many tries running may fail without one that brought
	// some bytes between them; 0 means 5.
	Attempts int
	// Pause is the wait after the first failure; it doubles up to MaxPause,
	// less or more a fifth that is left to chance. 0 means 1 s and 1 min.
	Pause, MaxPause time.Duration
}

// Result is what Fetch leaves behind. With an error it tells of the program
// that is there and may be started all the same; Digest is empty if none is.
type Result struct {
	Updated bool   // another program than before
	Version string // as its signer, or nobody, said
	Digest  string // SHA-256, hexadecimal
	// Untrusted says that there is a program, which none of the release keys
	// has signed: it may not be started. Digest is empty then.
	Untrusted bool
}

// Errors that Fetch, RollBack and Confirm wrap.
var (
	ErrOlder      = errors.New("it is older than the one here")
	ErrBad        = errors.New("it is known to be bad")
	ErrNoPrevious = errors.New("there is no previous program to go back to")
)

// Fetch brings File up to date.
func (f *Fetcher) Fetch(ctx context.Context) (Result, error) {
	job, err := f.job(ctx)
	if err != nil {
		return Result{}, err
	}
	unlock, err := supervise.Lock(f.File + ".lock")
	if err != nil {
		return Result{}, err
	}
	defer unlock()
	if job.files, err = f.open(); err != nil {
		return Result{}, err
	}
	updated, err := job.fetch()
	result := Result{Updated: updated}
	switch {
	case job.trusted():
		result.Version, result.Digest = job.state.Current.Version, job.state.Current.Digest
	case job.intact():
		result.Untrusted = true
		job.f.Log.Warn("the program that is here is not started: it was taken without a signature by one of the release keys", "file", job.file)
	}
	if err != nil {
		err = fmt.Errorf("download %s: %w", job.shown(), err)
	}
	return result, err
}

// RollBack puts the previous program back in place and remembers the present
// one as bad: it is not fetched again. Without a previous one it changes
// nothing and returns ErrNoPrevious.
func (f *Fetcher) RollBack(why string) error {
	return f.change(func(s *files) error { return s.rollBack(why) })
}

// Confirm notes that the present program has proved good. It is kept when a
// newer one comes, until that has proved good too.
func (f *Fetcher) Confirm() error {
	return f.change((*files).confirm)
}

// State returns what is known of the programs.
func (f *Fetcher) State() (State, error) {
	s, err := f.look()
	if err != nil {
		return State{}, err
	}
	s.state.Intact = s.intact()
	return s.state, nil
}

// lockWait is how long another change, which is short unless it is a download,
// is waited for.
const lockWait = 5 * time.Second

// change opens the files under the lock and changes them.
func (f *Fetcher) change(do func(*files) error) error {
	unlock, err := supervise.Lock(f.File + ".lock")
	for deadline := time.Now().Add(lockWait); errors.Is(err, supervise.ErrLocked) && time.Now().Before(deadline); {
		time.Sleep(100 * time.Millisecond)
		unlock, err = supervise.Lock(f.File + ".lock")
	}
	if err != nil {
		return err
	}
	defer unlock()
	s, err := f.open()
	if err != nil {
		return err
	}
	return do(s)
}

// job is one Fetch.
type job struct {
	*files
	ctx  context.Context
	f    Fetcher // with the defaults filled in
	url  *url.URL
	port ports.Port
	http *http.Client
}

// job checks what the Fetcher was given.
func (f *Fetcher) job(ctx context.Context) (*job, error) {
	j := &job{ctx: ctx, f: *f}
	j.f.Log = cmp.Or(f.Log, slog.Default())
	j.f.MaxSize = cmp.Or(f.MaxSize, 512<<20)
	j.f.StallWait = cmp.Or(f.StallWait, 30*time.Second)
	j.f.Attempts = cmp.Or(f.Attempts, 5)
	j.f.Pause = cmp.Or(f.Pause, time.Second)
	j.f.MaxPause = cmp.Or(f.MaxPause, time.Minute)
	var err error
	if j.port, err = ports.Parse(f.Port); err != nil {
		return nil, err
	}
	if j.url, err = parseURL(f.URL); err != nil {
		return nil, err
	}
	if len(f.Keys) == 0 {
		if !f.AllowUnsigned {
			return nil, hint.With(fmt.Errorf("no key to check %s with", j.shown()), "give the farm's public release key, which its maintainer has, or allow unsigned programs")
		}
		if err := checkTransport(j.url); err != nil {
			return nil, err
		}
	}
	j.http = j.client()
	return j, nil
}

// trusted reports whether the program in place may be started: the release
// keys may have been given, or changed, after it was taken.
func (j *job) trusted() bool {
	return j.intact() && (len(j.f.Keys) == 0 || slices.ContainsFunc(j.f.Keys, func(key release.PublicKey) bool {
		return key.String() == j.state.Current.Key
	}))
}

func parseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil || path.Base(u.Path) == "/" || path.Base(u.Path) == "." {
		return nil, hint.With(errors.New("the buildlet's URL is none that can be fetched"), "as https://farm.example/dl/buildlet.linux-amd64, without a name or password in it")
	}
	return u, nil
}

// checkTransport refuses what anybody on the way could change.
func checkTransport(u *url.URL) error {
	if u.Scheme == "https" || netdial.Loopback(u.Hostname()) {
		return nil
	}
	return hint.With(fmt.Errorf("%s is plain http, and there is no key to check what comes", withoutQuery(u)), "use https, or give the farm's public release key")
}

// client returns the HTTP client, which follows no redirect to where a
// program may not come from.
func (j *job) client() *http.Client {
	client := &http.Client{Transport: Transport(nil)}
	if j.f.HTTP != nil {
		shared := *j.f.HTTP
		client = &shared
	}
	next := client.CheckRedirect
	client.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		if len(via) >= 10 {
			return errors.New("more than 10 redirects")
		}
		if len(j.f.Keys) == 0 {
			if err := checkTransport(req.URL); err != nil {
				return &lastingError{err}
			}
		}
		if next != nil {
			return next(req, via)
		}
		return nil
	}
	return client
}

// Transport returns what makes requests with sensible limits. roots are the
// trusted CA certificates; nil means the system's.
func Transport(roots *x509.CertPool) *http.Transport {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
		TLSClientConfig:       &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:   30 * time.Second,
		ResponseHeaderTimeout: 60 * time.Second,
		IdleConnTimeout:       30 * time.Second,
	}
}

// shown returns the URL without its query, which may be a credential.
func (j *job) shown() string { return withoutQuery(j.url) }

func withoutQuery(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

// lastingError is one that the next try would meet too.
type lastingError struct{ error }

func (e *lastingError) Unwrap() error { return e.error }
