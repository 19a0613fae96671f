package coordinator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/build/revdial/v2"

	"gobuild/pkg/api"
	"gobuild/pkg/buildlet"
)

const (
	// minVersion is the lowest protocol version that speaks revdial v2
	// (build protocol, section 2.7).
	minVersion = 23
	// dialWait bounds the opening of one data connection: the worker gives
	// up after 20 s (section 2.6).
	dialWait = 25 * time.Second
	// lookPause is the least pause between two heartbeats.
	lookPause = 20 * time.Millisecond
	// idleConns is how many data connections to a machine are kept; with
	// upstream's two, parallel commands spend their time in TLS handshakes.
	idleConns = 64
	// wipeWait bounds the emptying of a work directory.
	wipeWait = 4 * time.Minute
)

// host is a registered machine.
type host struct {
	hostname, hostType, addr string
	connected                time.Time

	link      *link
	dialer    *revdial.Dialer
	transport *http.Transport
	client    *buildlet.Client
	log       *slog.Logger
	process   string        // by which the same process is known when it comes back; empty: upstream's
	look      chan struct{} // of capacity 1: it is to be asked at once
	removed   chan struct{} // closed when it has left the pool

	// The rest is guarded by pool.mu.
	version  string
	status   buildlet.Status
	state    api.HostState
	since    time.Time
	heard    time.Time
	instance string // ID of the instance that holds it
	clean    bool   // its work directory was emptied after the last use
	gone     bool
	refused  bool // it has refused a claim, and has not been heard of since

	claims     []api.HostClaim // newest first
	strays     int
	lastStrays *api.HostStrays
}

// newHost takes over conn, on which the 101 has been written.
func newHost(conn net.Conn, hostname, hostType, version string, log *slog.Logger) *host {
	now := time.Now()
	h := &host{
		hostname:  hostname,
		hostType:  hostType,
		addr:      conn.RemoteAddr().String(),
		connected: now,
		link:      newLink(conn),
		version:   version,
		state:     api.HostChecking,
		since:     now,
		log:       log.With("hostname", hostname, "hostType", hostType, "addr", conn.RemoteAddr().String()),
		look:      make(chan struct{}, 1),
		removed:   make(chan struct{}),
	}
	h.link.look = func() {
		select {
		case h.look <- struct{}{}:
		default:
		}
	}
	h.dialer = revdial.NewDialer(h.link, api.RouteRevdial)
	h.transport = &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			ctx, cancel := context.WithTimeoutCause(ctx, dialWait, fmt.Errorf("%s did not dial back within %s", hostname, dialWait))
			defer cancel()
			ctx, leave := h.link.dials.enter(ctx)
			defer leave()
			conn, err := h.dialer.Dial(ctx)
			if err != nil && ctx.Err() != nil {
				err = context.Cause(ctx)
			}
			return conn, err
		},
		MaxIdleConnsPerHost: idleConns,
		IdleConnTimeout:     2 * time.Minute,
		DisableCompression:  true,
	}
	h.client = buildlet.NewClient("http://buildlet", buildlet.ClientOptions{HTTP: &http.Client{Transport: h.transport}})
	return h
}

// evict cuts the link for a reason.
func (h *host) evict(why error) {
	h.link.end(why)
	h.dialer.Close()
}

// lost is closed when the link has ended.
func (h *host) lost() <-chan struct{} { return h.dialer.Done() }

// check asks the buildlet what it is.
func (h *host) check(ctx context.Context, wait time.Duration) (buildlet.Status, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, wait, fmt.Errorf("no answer within %s", wait))
	defer cancel()
	return h.client.Status(ctx)
}

// workDir asks for the work directory.
func (h *host) workDir(ctx context.Context, wait time.Duration) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, wait, fmt.Errorf("the work directory was not named within %s", wait))
	defer cancel()
	return h.client.WorkDir(ctx)
}

// wipe empties the work directory.
func (h *host) wipe(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, wipeWait, fmt.Errorf("not done within %s", wipeWait))
	defer cancel()
	return h.client.RemoveAll(ctx, ".")
}

// tend watches over h until its link ends: the first check, then heartbeats.
func (c *Coordinator) tend(h *host) {
	defer h.transport.CloseIdleConnections()
	ctx, cancel := context.WithCancel(c.ctx)
	defer cancel()
	stop := context.AfterFunc(c.ctx, func() { h.evict(errors.New("the coordinator is ending")) })
	defer stop()
	go func() {
		<-h.lost()
		cancel()
	}()

	status, err := h.check(ctx, c.opts.HeartbeatWait+5*time.Second)
	switch {
	case err != nil:
		h.evict(fmt.Errorf("registered, but gave no status: %w", err))
	case status.Version < minVersion:
		h.evict(fmt.Errorf("its protocol version %d is too old: %d is the least that works", status.Version, minVersion))
	default:
		c.pool.ready(h, status)
		c.asked.arrived(h.hostname, h.hostType)
	}
	misses := 0
	for {
		pause := c.opts.HeartbeatEvery
		if misses > 0 {
			pause = time.Millisecond // ask again at once
		}
		select {
		case <-h.lost():
			c.pool.remove(h, h.link.reason())
			return
		case <-time.After(pause):
		case <-h.look:
		}
		status, err := h.check(ctx, c.opts.HeartbeatWait)
		if err != nil {
			if misses++; misses == 2 {
				h.evict(fmt.Errorf("it answers no heartbeats: %w", err))
			}
			continue
		}
		misses = 0
		c.pool.heard(h, status)
		select {
		case <-h.lost():
		case <-time.After(lookPause): // however often it asks to be looked at
		}
	}
}
