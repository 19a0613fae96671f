package buildlet

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"time"

	"gobuild/pkg/hint"
	"gobuild/pkg/netdial"
)

// The waits of a Reverse.
const (
	// registerWait bounds one registration, dialling included.
	registerWait = 60 * time.Second
	// minBackOff and maxBackOff bound the pause between two attempts; the
	// pause is drawn at random below a limit that doubles.
	minBackOff = time.Second
	maxBackOff = time.Minute
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
	// Log gets what happens; nil means slog.Default.
	Log *slog.Logger
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
		if !registered && final(err) {
			return err
		}
		if time.Since(began) > settledAfter {
			limit = minBackOff
		}
		pause := limit/2 + rand.N(limit/2)
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
		return refused.status < 500 && refused.status != http.StatusTooManyRequests
	}
	var cert *tls.CertificateVerificationError
	var unknown x509.UnknownAuthorityError
	var addr *net.AddrError
	return errors.As(err, &cert) || errors.As(err, &unknown) || errors.As(err, &addr)
}

// session registers once and serves until the link ends; it returns why.
func (r *Reverse) session(ctx context.Context, key string, log *slog.Logger, registered func()) error {
	dial := func(ctx context.Context) (net.Conn, error) { return r.Dialer.DialTLS(ctx, r.Coordinator) }
	control, err := r.register(ctx, key, dial)
	if err != nil {
		return err
	}
	ln := newRevListener(control, dial)
	registered()
	srv := &http.Server{
		// There is no time-out: the coordinator may keep a connection for a
		// later request, and hands out what is dead by then (section 2.6).
		Handler:        r.Handler,
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

// register opens the control connection.
func (r *Reverse) register(ctx context.Context, key string, dial func(context.Context) (net.Conn, error)) (net.Conn, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, registerWait, fmt.Errorf("no answer within %s", registerWait))
	defer cancel()
	conn, err := dial(ctx)
	if err != nil {
		return nil, err
	}
	err = switchProtocols(ctx, conn, "/reverse", http.Header{
		"X-Go-Host-Type":        {r.HostType},
		"X-Go-Builder-Key":      {key},
		"X-Go-Builder-Hostname": {r.Hostname},
		"X-Go-Builder-Version":  {strconv.Itoa(Version)},
		"X-Revdial-Version":     {"2"},
	})
	if err == nil {
		return conn, nil
	}
	conn.Close()
	var refused *refusedError
	if !errors.As(err, &refused) {
		return nil, fmt.Errorf("register at %s: %w", r.Coordinator, err)
	}
	err = fmt.Errorf("coordinator %s refuses %s as %s: %w", r.Coordinator, r.Hostname, r.HostType, err)
	switch refused.status {
	case http.StatusPreconditionFailed:
		return nil, hint.With(err, "the builder key has to be the one that the farm's maintainer made for exactly %s, from the master key that this coordinator has", r.HostType)
	case http.StatusNotFound:
		return nil, hint.With(err, "is %s a coordinator?", r.Coordinator)
	}
	return nil, err
}
