// Package coordinator is the server of a farm: machines register with it,
// people get instances of them, and it passes the buildlet protocol through.
//
// It is thin. It knows who is connected (the reverse pool), who holds what
// (the instances) and who may (the builder keys); what is done on a machine
// is the buildlet's business. The wire facts are those of the build protocol,
// sections 2 and 7; the HTTP API is that of package api.
package coordinator

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
	"sync"
	"sync/atomic"
	"time"

	"gobuild/pkg/buildconfig"
	"gobuild/pkg/builderkey"
	"gobuild/pkg/store"
)

// Options are what a Coordinator needs. The zero values of durations and
// numbers mean what is written with them.
type Options struct {
	// Master is the farm's master key.
	Master builderkey.Master
	// Config are the host and builder types; nil means buildconfig.Default.
	Config *buildconfig.Config
	// Store keeps the instances' records; nil means in memory.
	Store store.Store
	// Program is the name and version to show.
	Program string
	// Dev marks a coordinator that runs with the development master key. Every
	// user is a maintainer there.
	Dev bool
	// Maintainers are the principals, user-NAME, that decide on the requests
	// to take in new machines. Without any, none are taken.
	Maintainers []string
	// Downloads is the directory with the buildlets that stage0 fetches; empty
	// means that there are none.
	Downloads string
	// Log gets what happens; nil means slog.Default.
	Log *slog.Logger

	// IdleLife is how long an instance lives without being used; 30 min, as
	// upstream's (build protocol, section 8).
	IdleLife time.Duration
	// HeartbeatEvery is the pause between two heartbeats; 10 s.
	HeartbeatEvery time.Duration
	// HeartbeatWait is how long a machine may take to answer one; 15 s. Two
	// misses running cost it its registration, so that a half-open link is
	// cut within 45 s.
	HeartbeatWait time.Duration
	// ProgressEvery is the pause between two lines of a CreateEvent stream;
	// 5 s.
	ProgressEvery time.Duration
	// BodyWait is how long a JSON request may take to come in, and the rest of
	// a refused one; 30 s.
	BodyWait time.Duration
	// AnswerWait is how long an answer may take to be read, unless it is a
	// stream or a file; 2 min.
	AnswerWait time.Duration
	// RequestsPerHour is how many new machines may be asked for from one
	// address; 20.
	RequestsPerHour int
}

// Coordinator serves a farm. Its methods may be called by several goroutines.
type Coordinator struct {
	opts    Options
	log     *slog.Logger
	started time.Time
	pool    *pool
	insts   *instances
	asked   *requests
	names   nameLocks
	mux     *http.ServeMux
	cert    atomic.Pointer[x509.Certificate] // what Serve shows to clients

	ctx  context.Context // ends with Close
	stop context.CancelFunc
	work sync.WaitGroup // goroutines that outlive a request
}

// New returns a Coordinator that is ready to serve. It is to be closed.
func New(opts Options) (*Coordinator, error) {
	if opts.Master.IsZero() {
		return nil, errors.New("coordinator: no master key")
	}
	if opts.Config == nil {
		opts.Config = buildconfig.Default()
	}
	if opts.Store == nil {
		opts.Store = store.NewMemory()
	}
	if opts.Log == nil {
		opts.Log = slog.Default()
	}
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&opts.IdleLife, 30 * time.Minute},
		{&opts.HeartbeatEvery, 10 * time.Second},
		{&opts.HeartbeatWait, 15 * time.Second},
		{&opts.ProgressEvery, 5 * time.Second},
		{&opts.BodyWait, 30 * time.Second},
		{&opts.AnswerWait, 2 * time.Minute},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	opts.RequestsPerHour = cmp.Or(opts.RequestsPerHour, 20)
	c := &Coordinator{opts: opts, log: opts.Log, started: time.Now()}
	c.ctx, c.stop = context.WithCancel(context.Background())
	c.pool = newPool(c)
	if err := c.pool.recall(); err != nil {
		c.stop()
		return nil, fmt.Errorf("coordinator: read which machines take no work: %w", err)
	}
	c.insts = newInstances(c)
	c.asked = newRequests(c)
	c.mux = c.routes()
	c.work.Go(c.insts.expireLoop)
	return c, nil
}

// ServeHTTP answers all requests of workers and of people. The registration
// of workers needs HTTP/1 over TLS; Serve provides that.
func (c *Coordinator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	hasBody := r.ContentLength != 0
	if hasBody && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		c.hurry(w) // no route wants it
	}
	c.answerBy(w, c.opts.AnswerWait)
	c.mux.ServeHTTP(w, r)
	if hasBody {
		c.hurry(w) // for what was left unread
	}
}

// Serve answers requests that come in over ln, with the given certificate,
// until ctx ends, and then closes the Coordinator: a few seconds are given to
// requests under way. It returns nil unless serving failed.
func (c *Coordinator) Serve(ctx context.Context, ln net.Listener, cert tls.Certificate) error {
	leaf, err := certLeaf(cert)
	if err != nil {
		ln.Close()
		c.Close()
		return err
	}
	c.cert.Store(leaf)
	srv := &http.Server{
		Handler:           c,
		ReadHeaderTimeout: 30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(c.log.Handler(), slog.LevelDebug),
	}
	tlsLn := tls.NewListener(ln, &tls.Config{
		Certificates: []tls.Certificate{cert},
		MinVersion:   tls.VersionTLS12,
		// HTTP/2 has no connection to take over: workers could not register,
		// nor could a protocol be switched.
		NextProtos: []string{"http/1.1"},
	})
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(tlsLn) }()
	select {
	case err := <-ended:
		c.Close()
		return fmt.Errorf("serve %s: %w", ln.Addr(), err)
	case <-ctx.Done():
	}
	// Streams do not end by themselves; closing ends them.
	c.stop()
	graceful, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := srv.Shutdown(graceful); err != nil {
		srv.Close()
	}
	<-ended
	return c.Close()
}

// certLeaf returns the first certificate of cert.
func certLeaf(cert tls.Certificate) (*x509.Certificate, error) {
	if len(cert.Certificate) == 0 {
		return nil, errors.New("coordinator: no certificate")
	}
	leaf, err := x509.ParseCertificate(cert.Certificate[0])
	if err != nil {
		return nil, fmt.Errorf("coordinator: certificate: %w", err)
	}
	return leaf, nil
}

// Close cuts all links and ends all waits. Instances are not destroyed: what
// they are is in the Store.
func (c *Coordinator) Close() error {
	c.stop()
	c.pool.close()
	c.work.Wait()
	return c.opts.Store.Close()
}
