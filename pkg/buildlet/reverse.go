package buildlet

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"gobuild/pkg/hint"
	"gobuild/pkg/netdial"
)

// The waits of a Reverse.
const (
	// registerWait bounds one registration, dialling included. The coordinator
	// may need 15 s of it to see whether an older link of that name is dead.
	registerWait = 40 * time.Second
	// minBackOff and maxBackOff bound the pause between two attempts; the
	// pause is drawn at random below a limit that doubles. An attempt that
	// hangs and the pause behind it are within the minute in which a machine
	// is to be back once the network is.
	minBackOff = time.Second
	maxBackOff = 15 * time.Second
	// settledAfter is how long a link has to hold for the back-off to begin
	// anew.
	settledAfter = time.Minute
)

// Reverse keeps a worker registered with a coordinator (build protocol,
// section 2). Its fields are not to be changed while Run runs.
type Reverse struct {
	// Coordinator is the address, HOST:PORT.
	Coordinator string
	// HostType and Hostname are what the worker registers as.
	HostType, Hostname string
	// Key returns the builder key of HostType. It is called once.
	Key func() (string, error)
	// Dialer opens the connections.
	Dialer *netdial.Dialer
	// Handler serves the coordinator's requests.
	Handler http.Handler
	// OnRegistered, if not nil, is called after each registration.
	OnRegistered func()
	// OnLink, if not nil, is told of each change of the link.
	OnLink func(LinkState)
	// Process tells this registration from one of another process that has the
	// same name; empty means one for all of this process.
	Process string
	// PingEvery is the pause between two pings, and Silence how long a link may
	// be silent; 0 means what cuts a half-open link within 45 s.
	PingEvery, Silence time.Duration
	// Log gets what happens; nil means slog.Default.
	Log *slog.Logger

	mu   sync.Mutex
	link *revListener // nil: there is none, or its coordinator has no addition "status"
}

// LinkState is how the link to the coordinator is.
type LinkState struct {
	Up        bool      // there is one
	Good      time.Time // since when it has proved good: the coordinator has asked for the status; zero: it has not
	Additions []string  // what the coordinator can do beyond upstream's protocol
	Why       string    // why there is none
}

// processID is what the same process is known by when it comes back.
var processID = sync.OnceValue(rand.Text)

// Nudge makes the coordinator look at the status now, if it can be told to.
func (r *Reverse) Nudge() {
	r.mu.Lock()
	link := r.link
	r.mu.Unlock()
	if link != nil {
		link.send(controlLine{Command: "status"})
	}
}

func (r *Reverse) tell(l LinkState) {
	if r.OnLink != nil {
		r.OnLink(l)
	}
}

// terms returns how a link to a coordinator with these additions is kept.
func (r *Reverse) terms(additions []string) linkTerms {
	if !slices.Contains(additions, additionPing) {
		return linkTerms{silence: cmp.Or(r.Silence, keepAliveWait)}
	}
	return linkTerms{ping: cmp.Or(r.PingEvery, pingEvery), silence: cmp.Or(r.Silence, pingWait)}
}

// Run registers and serves until ctx ends, and then returns nil. After a lost
// link it registers again, with a growing pause that has a random part. It
// returns an error only where trying again is of no use: no key, or, at the
// first registration, a refusal by the coordinator or a certificate that
// cannot be verified.
func (r *Reverse) Run(ctx context.Context) error {
	log := r.Log
	if log == nil {
		log = slog.Default()
	}
	log = log.With("coordinator", r.Coordinator, "hostType", r.HostType, "hostname", r.Hostname)
	key, err := r.Key()
	if err != nil {
		return err
	}
	registered := false
	limit := minBackOff
	for {
		log.Info("registering")
		if limit == minBackOff {
			r.tell(LinkState{Why: "registering at " + r.Coordinator})
		}
		began := time.Now()
		err := r.session(ctx, key, log, func() {
			registered = true
			log.Info("registered")
			if r.OnRegistered != nil {
				r.OnRegistered()
			}
		})
		if ctx.Err() != nil {
			return nil
		}
		why := err.Error()
		if advice := hint.Of(err); advice != "" {
			why += " (" + advice + ")"
		}
		r.tell(LinkState{Why: why})
		if !registered && final(err) {
			return err
		}
		if time.Since(began) > settledAfter {
			limit = minBackOff
		}
		pause := limit/2 + mathrand.N(limit/2)
		limit = min(2*limit, maxBackOff)
		attrs := []any{"err", err, "retryIn", pause.Round(time.Millisecond)}
		if advice := hint.Of(err); advice != "" {
			attrs = append(attrs, "hint", advice)
		}
		log.Warn("not registered", attrs...)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil
		}
	}
}

// final reports whether a first registration that failed with err would fail
// again: somebody has to change a setting.
func final(err error) bool {
	var refused *refusedError
	if errors.As(err, &refused) {
		// A conflict is with another machine of the same name, which may go.
		return refused.status < 500 && refused.status != http.StatusTooManyRequests && refused.status != http.StatusConflict
	}
	if netdial.OutOfDate(err) {
		return false // the clock may be wrong, and be set
	}
	var cert *tls.CertificateVerificationError
	var unknown x509.UnknownAuthorityError
	var addr *net.AddrError
	return errors.As(err, &cert) || errors.As(err, &unknown) || errors.As(err, &addr)
}

// session registers once and serves until the link ends; it returns why.
func (r *Reverse) session(ctx context.Context, key string, log *slog.Logger, registered func()) error {
	dial := func(ctx context.Context) (net.Conn, error) { return r.Dialer.DialTLS(ctx, r.Coordinator) }
	control, additions, err := r.register(ctx, key, dial)
	if err != nil {
		return err
	}
	ln := newRevListener(control, dial, r.terms(additions))
	if slices.Contains(additions, additionStatus) {
		r.mu.Lock()
		r.link = ln
		r.mu.Unlock()
		defer func() {
			r.mu.Lock()
			r.link = nil
			r.mu.Unlock()
		}()
	}
	r.tell(LinkState{Up: true, Additions: additions, Why: "the coordinator has not asked for the status yet"})
	registered()
	srv := &http.Server{
		// There is no time-out: the coordinator may keep a connection for a
		// later request, and hands out what is dead by then (section 2.6).
		Handler: r.proving(func() {
			if ln.Err() != nil {
				return // the answer came too late
			}
			log.Info("in the pool")
			r.tell(LinkState{Up: true, Good: time.Now(), Additions: additions})
		}),
		MaxHeaderBytes: maxAnswerHeader,
		ErrorLog:       slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	stop := context.AfterFunc(ctx, func() { ln.Close() })
	defer stop()
	srv.Serve(ln)
	reason := ln.Err()
	ln.Close()
	// The coordinator has given up on what ran here: its connections, and
	// with them the commands, end with the link.
	srv.Close()
	return fmt.Errorf("link to %s lost: %w", r.Coordinator, reason)
}

// proving returns the handler of a link, which calls proved when the
// coordinator has been told the status for the first time: from then on it
// hands the machine out (section 2.7).
func (r *Reverse) proving(proved func()) http.Handler {
	var once sync.Once
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.Handler.ServeHTTP(w, req)
		if req.URL.Path == "/status" {
			once.Do(proved)
		}
	})
}

// register opens the control connection. It returns the additions of the
// coordinator, too.
func (r *Reverse) register(ctx context.Context, key string, dial func(context.Context) (net.Conn, error)) (net.Conn, []string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, registerWait, fmt.Errorf("no answer within %s", registerWait))
	defer cancel()
	conn, err := dial(ctx)
	if err != nil {
		return nil, nil, err
	}
	additions, err := switchProtocols(ctx, conn, "/reverse", http.Header{
		"X-Go-Host-Type":        {r.HostType},
		"X-Go-Builder-Key":      {key},
		"X-Go-Builder-Hostname": {r.Hostname},
		"X-Go-Builder-Version":  {strconv.Itoa(Version)},
		"X-Revdial-Version":     {"2"},
		"X-Gobuild-Process":     {cmp.Or(r.Process, processID())},
	})
	if err == nil {
		return conn, additions, nil
	}
	conn.Close()
	var refused *refusedError
	if !errors.As(err, &refused) {
		return nil, nil, fmt.Errorf("register at %s: %w", r.Coordinator, err)
	}
	err = fmt.Errorf("coordinator %s refuses %s as %s: %w", r.Coordinator, r.Hostname, r.HostType, err)
	switch refused.status {
	case http.StatusPreconditionFailed:
		return nil, nil, hint.With(err, "the builder key has to be the one that the farm's maintainer made for exactly %s, from the master key that this coordinator has", r.HostType)
	case http.StatusNotFound:
		return nil, nil, hint.With(err, "is %s a coordinator?", r.Coordinator)
	case http.StatusConflict:
		return nil, nil, hint.With(err, "give one of the two another name with --hostname")
	}
	return nil, nil, err
}
