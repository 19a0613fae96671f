package buildlet

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"gobuild/pkg/hint"
)

// The worker's side of revdial v2 (build protocol, section 2): it reads the
// control connection and dials back for every connection that the coordinator
// asks for. Upstream's Listener is not used here since it can panic in a
// process that is meant to go on after a lost link (it closes the channel
// that a pick-up under way sends on), waits for ever on a dead control
// connection, and loses the reason why a link ended.

const (
	// maxControlLine is the longest line on the control connection, newline
	// included (section 2.5).
	maxControlLine = 4096
	// keepAliveWait is how long the control connection may be silent where
	// the coordinator answers no pings: it sends a line every 30 s.
	keepAliveWait = 44 * time.Second
	// pingEvery is the pause between two pings, and pingWait how long the
	// control connection may be silent where they are answered.
	pingEvery = 10 * time.Second
	pingWait  = 30 * time.Second
	// sendWait bounds the writing of a control line.
	sendWait = 10 * time.Second
	// pickUpWait bounds one pick-up, dialling included (section 2.6).
	pickUpWait = 20 * time.Second
	// maxPickUps bounds the pick-ups under way at once.
	maxPickUps = 64
	// maxAnswerHeader bounds the header of an answer, in bytes.
	maxAnswerHeader = 64 << 10
	// maxRequests bounds the requests of one handshake: one redirect
	// (section 2.4).
	maxRequests = 2
	// maxPickUpErr keeps a report of failure below maxControlLine, whatever
	// JSON makes of its bytes.
	maxPickUpErr = 400
)

// revListener is a net.Listener for the connections that a coordinator asks
// for. Accept ends when the control connection does; Err then says why.
type revListener struct {
	control net.Conn
	dial    func(context.Context) (net.Conn, error)
	conns   chan net.Conn
	ctx     context.Context
	end     context.CancelCauseFunc
	work    sync.WaitGroup
	slots   chan struct{}
	writeMu sync.Mutex // one line at a time on control
	silence time.Duration
}

// linkTerms say how a link is kept.
type linkTerms struct {
	ping    time.Duration // pause between two pings; 0: none are sent
	silence time.Duration // how long nothing may come
}

// newRevListener serves the control connection, on which the 101 has been
// read, until it ends or Close is called. dial opens a further connection to
// the same coordinator.
func newRevListener(control net.Conn, dial func(context.Context) (net.Conn, error), terms linkTerms) *revListener {
	ctx, end := context.WithCancelCause(context.Background())
	ln := &revListener{
		control: control,
		dial:    dial,
		conns:   make(chan net.Conn),
		ctx:     ctx,
		end:     end,
		slots:   make(chan struct{}, maxPickUps),
		silence: terms.silence,
	}
	if terms.ping > 0 {
		ln.work.Go(func() { ln.ping(terms.ping) })
	}
	ln.work.Go(func() { ln.end(ln.readControl()); control.Close() })
	return ln
}

// Accept waits for the next picked-up connection.
func (ln *revListener) Accept() (net.Conn, error) {
	select {
	case c := <-ln.conns:
		return c, nil
	case <-ln.ctx.Done():
		return nil, context.Cause(ln.ctx)
	}
}

// Close ends the control connection and waits for the pick-ups under way.
func (ln *revListener) Close() error {
	ln.end(net.ErrClosed)
	ln.control.Close()
	ln.work.Wait()
	return nil
}

// Addr returns the control connection's remote address.
func (ln *revListener) Addr() net.Addr { return ln.control.RemoteAddr() }

// Err returns why the link ended, or nil while it lives.
func (ln *revListener) Err() error { return context.Cause(ln.ctx) }

// controlLine is a line on the control connection (section 2.5).
type controlLine struct {
	Command  string `json:"command,omitempty"`
	ConnPath string `json:"connPath,omitempty"`
	Err      string `json:"err,omitempty"`
}

// readControl serves the coordinator's lines and returns why it ended.
func (ln *revListener) readControl() error {
	br := bufio.NewReaderSize(ln.control, maxControlLine)
	for {
		ln.control.SetReadDeadline(time.Now().Add(ln.silence))
		text, err := br.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			return fmt.Errorf("the coordinator sent a control line of more than %d bytes", maxControlLine)
		case errors.Is(err, io.EOF):
			return errors.New("the coordinator closed the link")
		case isTimeout(err):
			return fmt.Errorf("nothing came over the link for %s, not even a keep-alive", ln.silence)
		case err != nil:
			return fmt.Errorf("the link broke: %w", err)
		}
		var line controlLine
		if err := json.Unmarshal(text, &line); err != nil {
			return fmt.Errorf("the coordinator sent a control line that is not JSON: %.100q", text)
		}
		if line.Command == "conn-ready" {
			ln.work.Go(func() { ln.pickUp(line.ConnPath) })
		}
	}
}

// ping sends a ping now and then. What comes of it readControl sees.
func (ln *revListener) ping(every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			ln.send(controlLine{Command: "ping"})
		case <-ln.ctx.Done():
			return
		}
	}
}

// send writes a line. An error shows in reading, too.
func (ln *revListener) send(line controlLine) {
	text, err := json.Marshal(line)
	if err != nil || len(text) >= maxControlLine {
		return // a path that long cannot be answered within a line
	}
	ln.writeMu.Lock()
	defer ln.writeMu.Unlock()
	ln.control.SetWriteDeadline(time.Now().Add(sendWait))
	ln.control.Write(append(text, '\n'))
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}

// pickUp dials back for one connection and hands it to Accept.
func (ln *revListener) pickUp(path string) {
	ctx, cancel := context.WithTimeout(ln.ctx, pickUpWait)
	defer cancel()
	conn, err := ln.fetch(ctx, path)
	if err != nil {
		ln.reportFailure(path, err)
		return
	}
	select {
	case ln.conns <- conn:
	case <-ln.ctx.Done():
		conn.Close()
	}
}

func (ln *revListener) fetch(ctx context.Context, path string) (net.Conn, error) {
	select {
	case ln.slots <- struct{}{}:
		defer func() { <-ln.slots }()
	case <-ctx.Done():
		return nil, fmt.Errorf("%d pick-ups are under way", maxPickUps)
	}
	conn, err := ln.dial(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := switchProtocols(ctx, conn, path, nil); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// reportFailure sends pickup-failed, which fails the coordinator's dial at
// once instead of letting it wait for its time-out.
func (ln *revListener) reportFailure(path string, err error) {
	text := err.Error()
	if len(text) > maxPickUpErr {
		text = text[:maxPickUpErr]
	}
	ln.send(controlLine{Command: "pickup-failed", ConnPath: path, Err: text})
}

// refusedError is an answer other than 101 to a request for a link.
type refusedError struct {
	status int
	text   string
}

func (e *refusedError) Error() string {
	return fmt.Sprintf("%d %s: %s", e.status, http.StatusText(e.status), e.text)
}

// switchProtocols sends GET path with header over conn and waits for the 101.
// It follows one redirect on the same connection (section 2.4). The deadline
// is ctx's. It returns the additions that the answer announces.
func switchProtocols(ctx context.Context, conn net.Conn, path string, header http.Header) (additions []string, err error) {
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	// What is buffered behind a 101 would be lost. The coordinator sends
	// nothing there before the header has been read (section 2.4).
	br := bufio.NewReader(io.LimitReader(conn, maxAnswerHeader))
	for range maxRequests {
		req, err := http.NewRequestWithContext(ctx, "GET", path, nil)
		if err != nil {
			return nil, fmt.Errorf("the coordinator gave a path that is none: %w", err)
		}
		for name, values := range header {
			req.Header[name] = values
		}
		if err := req.Write(conn); err != nil {
			return nil, fmt.Errorf("GET %s: %w", req.URL.Path, cause(ctx, err))
		}
		resp, err := http.ReadResponse(br, req)
		if err != nil {
			return nil, fmt.Errorf("answer to GET %s: %w", req.URL.Path, cause(ctx, err))
		}
		if resp.StatusCode == http.StatusSwitchingProtocols {
			if br.Buffered() > 0 {
				return nil, fmt.Errorf("the coordinator sent %d bytes in one piece with its 101, which upstream's buildlets would lose", br.Buffered())
			}
			return parseAdditions(resp.Header), nil
		}
		text, err := io.ReadAll(io.LimitReader(resp.Body, maxErrorText))
		if resp.StatusCode != http.StatusTemporaryRedirect {
			return nil, &refusedError{resp.StatusCode, string(bytes.TrimSpace(text))}
		}
		if err != nil {
			return nil, fmt.Errorf("redirect of GET %s: %w", req.URL.Path, cause(ctx, err))
		}
		if path, err = relativeLocation(resp); err != nil {
			return nil, err
		}
	}
	return nil, errors.New("the coordinator redirects more than once")
}

// additionsHeader is where the 101 of a coordinator announces what it can do
// beyond upstream's protocol.
const additionsHeader = "Gobuild-Additions"

// The additions of a coordinator, beside AdditionClaim.
const (
	additionPing   = "ping"   // it answers {"command":"ping"} with {"command":"pong"}
	additionStatus = "status" // it asks for the status at once after {"command":"status"}
)

// parseAdditions returns the names that a header announces.
func parseAdditions(h http.Header) (names []string) {
	for name := range strings.SplitSeq(h.Get(additionsHeader), ",") {
		if name = strings.TrimSpace(name); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// cause returns why ctx ended, if it did, in place of an error that came of it.
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// relativeLocation returns the path of a redirect on the same server.
func relativeLocation(resp *http.Response) (string, error) {
	loc := resp.Header.Get("Location")
	u, err := url.Parse(loc)
	if err != nil || u.Scheme != "" || u.Host != "" || loc == "" {
		return "", hint.With(fmt.Errorf("the coordinator redirects to %q", loc),
			"a redirect has to stay on the same server: a path without scheme and host")
	}
	return loc, nil
}
