package buildlet

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"gobuild/pkg/hint"
)

// Worker is a buildlet as a machine runs it: registered with a coordinator,
// or listening for one. Exactly one of Reverse and Listen is set.
type Worker struct {
	// Server does the work.
	Server *Server
	// Reverse registers it; its Handler is filled in.
	Reverse *Reverse
	// Listen is the address, HOST:PORT, at which it is served.
	Listen string
	// Certificate makes Listen speak TLS; nil means plain HTTP.
	Certificate *tls.Certificate
	// HealthAddr is an address that answers GET /healthz beside Reverse;
	// empty means none. If it cannot be bound, that is logged and no more.
	HealthAddr string
	// OnListening, if not nil, is told the address that Listen came to.
	OnListening func(net.Addr)
	// Log gets what happens; nil means slog.Default.
	Log *slog.Logger
}

// Run works until ctx ends, or the server has drained, and then returns nil
// once what ran is dead.
func (w *Worker) Run(ctx context.Context) error {
	if w.Log == nil {
		w.Log = slog.Default()
	}
	defer w.Server.Close()
	ctx, end := context.WithCancel(ctx)
	defer end()
	stopNote := context.AfterFunc(ctx, func() { w.Server.setEnding(endedBy(context.Cause(ctx))) })
	defer stopNote()
	go w.watch(ctx, end)
	if w.Reverse == nil {
		return w.listen(ctx)
	}
	if w.HealthAddr != "" {
		stop := w.serveHealth()
		defer stop()
	}
	w.Reverse.Handler = w.Server
	w.Reverse.OnLink = w.Server.setLink
	w.Server.setLink(LinkState{Why: "starting"})
	return w.Reverse.Run(ctx)
}

// watch tells the coordinator of changes of the availability, and calls end
// once a server that is to drain has done so.
func (w *Worker) watch(ctx context.Context, end func()) {
	told := w.Server.Availability()
	for {
		changed := w.Server.Changed()
		if now := w.Server.Availability(); now.State != told.State || now.Why != told.Why || now.By != told.By || !now.Until.Equal(told.Until) {
			told = now
			if w.Reverse != nil {
				w.Reverse.Nudge()
			}
		}
		if w.Server.drained() {
			w.Log.Info("drained: nobody holds this machine")
			w.Server.setEnding("it has drained")
			select {
			case <-time.After(haltDelay): // for the answer under way
			case <-ctx.Done():
			}
			end()
			return
		}
		wait := time.Hour
		if at := w.Server.duty.next(time.Now()); !at.IsZero() {
			wait = max(time.Until(at), 0) + time.Millisecond
		}
		timer := time.NewTimer(wait)
		select {
		case <-changed:
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
		timer.Stop()
	}
}

// listen serves at w.Listen until ctx ends.
func (w *Worker) listen(ctx context.Context) error {
	ln, err := net.Listen("tcp", w.Listen)
	if err != nil {
		return hint.With(err, "another program may have the port: choose one with --listen HOST:PORT")
	}
	addr := ln.Addr()
	if w.Certificate != nil {
		ln = tls.NewListener(ln, &tls.Config{
			Certificates: []tls.Certificate{*w.Certificate},
			MinVersion:   tls.VersionTLS12,
			NextProtos:   []string{"http/1.1"},
		})
	}
	srv := w.newHTTPServer(w.Server)
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		// What runs is given a moment to answer, as upstream's does.
		grace, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if srv.Shutdown(grace) != nil {
			srv.Close()
		}
	})
	defer stop()
	w.Log.Info("listening", "addr", addr.String(), "tls", w.Certificate != nil)
	if w.OnListening != nil {
		w.OnListening(addr)
	}
	if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve %s: %w", addr, err)
	}
	<-ended // Serve returns at the beginning of a shutdown
	return nil
}

// serveHealth answers probes at w.HealthAddr until the returned function is
// called.
func (w *Worker) serveHealth() (stop func()) {
	ln, err := net.Listen("tcp", w.HealthAddr)
	if err != nil {
		w.Log.Warn("no health probes", "err", err, "hint", "choose another address with --health-addr, or none with --health-addr=")
		return func() {}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok\n") })
	srv := w.newHTTPServer(mux)
	go srv.Serve(ln)
	w.Log.Info("health probes", "url", fmt.Sprintf("http://%s/healthz", ln.Addr()))
	return func() { srv.Close() }
}

func (w *Worker) newHTTPServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: time.Minute,
		IdleTimeout:       10 * time.Minute,
		MaxHeaderBytes:    maxAnswerHeader,
		ErrorLog:          slog.NewLogLogger(w.Log.Handler(), slog.LevelDebug),
	}
}
