package coordinator

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
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
	look func() // called at {"command":"status"}; nil: nothing is

	mu  sync.Mutex
	why error

	writeMu sync.Mutex // one line at a time
	text    []byte     // what came since the last newline; the reader's own
}

// end notes why the link is about to end; the first reason stays.
func (l *link) end(why error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.why == nil {
		l.why = why
	}
}

// reason returns why the link ended.
func (l *link) reason() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.why == nil {
		return errors.New("the link was closed")
	}
	return l.why
}

func (l *link) Read(p []byte) (int, error) {
	n, err := l.Conn.Read(p)
	for rest := p[:n]; ; {
		i := bytes.IndexByte(rest, '\n')
		if i < 0 {
			l.text = append(l.text, rest...)
			break
		}
		l.text = append(l.text, rest[:i]...)
		if !l.tooLong() {
			l.serve(l.text)
		}
		l.text, rest = l.text[:0], rest[i+1:]
	}
	if l.tooLong() {
		l.text = l.text[:0] // the dialer hangs up
	}
	switch {
	case errors.Is(err, io.EOF):
		l.end(errors.New("the buildlet closed the link"))
	case err != nil:
		l.end(fmt.Errorf("the link broke: %w", err))
	}
	return n, err
}

// Close is called by the dialer. It does so unasked, and without an error
// before, for one reason only.
func (l *link) Close() error {
	l.end(errors.New("the buildlet sent a control line that is not JSON"))
	return l.Conn.Close()
}

// tooLong reports whether what came since the last newline is too long, and
// notes that.
func (l *link) tooLong() bool {
	if len(l.text) < maxControlLine {
		return false
	}
	l.end(fmt.Errorf("the buildlet sent a control line of more than %d bytes", maxControlLine))
	return true
}

// serve answers a line, if it is one of our own additions.
func (l *link) serve(line []byte) {
	switch controlCommand(line) {
	case "ping":
		io.WriteString(l, pong)
	case "status":
		if l.look != nil {
			l.look()
		}
	}
}

const pong = "{\"command\":\"pong\"}\n"

// controlCommand returns the command of a line, or "" if that is none.
func controlCommand(line []byte) string {
	var msg struct {
		Command string `json:"command"`
	}
	if json.Unmarshal(line, &msg) != nil {
		return ""
	}
	return msg.Command
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
