package coordinator

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"gobuild/pkg/plain"
)

// maxControlLine is the longest line that a control connection may carry,
// newline included (build protocol, section 2.5). The dialer hangs up at a
// longer one.
const maxControlLine = 4096

// linkWait bounds the writing of a control line, as upstream's dialer does.
const linkWait = 10 * time.Second

// link is a worker's control connection as its dialer sees it. It remembers
// why the connection ended, which the dialer does not tell, and serves the
// lines that the dialer does not know.
type link struct {
	net.Conn
	look  func() // called at {"command":"status"}; nil: nothing is
	dials waitingDials

	mu  sync.Mutex
	why error

	writeMu sync.Mutex // one line at a time

	// The rest is the reader's own.
	lines *bufio.Reader
	rest  []byte // of a line, for the dialer
	err   error  // what comes after rest
}

func newLink(conn net.Conn) *link {
	return &link{Conn: conn, lines: bufio.NewReaderSize(conn, maxControlLine)}
}

// end notes why the link is about to end; the first reason stays.
func (l *link) end(why error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.why == nil {
		l.why = why
	}
}

// reason returns why the link ended, in words that can be shown.
func (l *link) reason() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.why == nil {
		return errors.New("the link was closed")
	}
	return errors.New(shownError(l.why))
}

// Read gives whole lines to the dialer, but not those that would stop it: it
// reads on after a failed pick-up only when somebody dials, who then gets the
// failure of another.
func (l *link) Read(p []byte) (int, error) {
	for len(l.rest) == 0 {
		if l.err != nil {
			return 0, l.err
		}
		line, err := l.lines.ReadSlice('\n')
		switch {
		case err == nil:
			if l.serve(line) {
				continue
			}
		case errors.Is(err, bufio.ErrBufferFull): // the dialer hangs up
			l.end(fmt.Errorf("the buildlet sent a control line of more than %d bytes", maxControlLine))
		case errors.Is(err, io.EOF):
			l.end(errors.New("the buildlet closed the link"))
			l.err = err
		default:
			l.end(fmt.Errorf("the link broke: %w", err))
			l.err = err
		}
		l.rest = line
	}
	n := copy(p, l.rest)
	l.rest = l.rest[n:]
	return n, nil
}

// Close is called by the dialer. It does so unasked, and without an error
// before, for one reason only.
func (l *link) Close() error {
	l.end(errors.New("the buildlet sent a control line that is not JSON"))
	return l.Conn.Close()
}

// serve answers a line, if it is one that the dialer does not serve. It
// reports whether the dialer is not to see it.
func (l *link) serve(line []byte) (served bool) {
	var msg struct {
		Command string `json:"command"`
		Err     string `json:"err"`
	}
	if json.Unmarshal(line, &msg) != nil {
		return false
	}
	switch msg.Command {
	case "ping":
		io.WriteString(l, pong)
	case "status":
		if l.look != nil {
			l.look()
		}
	case "pickup-failed":
		l.dials.fail(errors.New("it could not dial back: " + plain.Line(msg.Err, 400)))
		return true
	}
	return false
}

const pong = "{\"command\":\"pong\"}\n"

// waitingDials are the dials that wait for the buildlet to dial back. All of
// them go by one name on the wire, so that a failure can be that of any.
type waitingDials struct {
	mu   sync.Mutex
	list []*context.CancelCauseFunc // oldest first
}

// enter adds a dial, until leave is called. Its context ends if it fails.
func (d *waitingDials) enter(ctx context.Context) (_ context.Context, leave func()) {
	ctx, fail := context.WithCancelCause(ctx)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.list = append(d.list, &fail)
	return ctx, func() {
		fail(nil)
		d.mu.Lock()
		defer d.mu.Unlock()
		d.list = slices.DeleteFunc(d.list, func(o *context.CancelCauseFunc) bool { return o == &fail })
	}
}

// fail ends the dial that waits longest, if one does.
func (d *waitingDials) fail(why error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.list) > 0 {
		(*d.list[0])(why)
		d.list = slices.Delete(d.list, 0, 1)
	}
}

// Write sends whole lines: the dialer's, and our own.
func (l *link) Write(p []byte) (int, error) {
	l.writeMu.Lock()
	defer l.writeMu.Unlock()
	l.Conn.SetWriteDeadline(time.Now().Add(linkWait))
	n, err := l.Conn.Write(p)
	if err != nil {
		l.end(fmt.Errorf("the link broke: %w", err))
	}
	return n, err
}

// SetWriteDeadline does nothing: the dialer takes its own back after each
// line, which may be while one of ours is being written.
func (l *link) SetWriteDeadline(time.Time) error { return nil }
