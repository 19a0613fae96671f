package coordinator

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
)

// maxControlLine is the longest line that a control connection may carry,
// newline included (build protocol, section 2.5). The dialer hangs up at a
// longer one.
const maxControlLine = 4096

// link is a worker's control connection as its dialer sees it. It remembers
// why the connection ended, which the dialer does not tell.
type link struct {
	net.Conn
	mu   sync.Mutex
	why  error
	line int // bytes since the last newline
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
	switch i := bytes.LastIndexByte(p[:n], '\n'); {
	case i >= 0:
		l.line = n - i - 1
	default:
		l.line += n
	}
	if l.line >= maxControlLine {
		l.end(fmt.Errorf("the buildlet sent a control line of more than %d bytes", maxControlLine))
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

func (l *link) Write(p []byte) (int, error) {
	n, err := l.Conn.Write(p)
	if err != nil {
		l.end(fmt.Errorf("the link broke: %w", err))
	}
	return n, err
}
