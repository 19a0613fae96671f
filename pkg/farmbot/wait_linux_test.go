package farmbot

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"gobuild/pkg/netdial"
	"gobuild/pkg/supervise"
)

// logBuffer keeps a log for a test that reads it while it is written.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Who starts run-bot by hand reads in the log, too, what it waits for.
func TestWaitIsLogged(t *testing.T) {
	log := &logBuffer{}
	f := begin(t, func(o *Options) {
		o.Log = slog.New(slog.NewTextHandler(log, nil))
		o.Coordinator = "127.0.0.1:1" // nothing listens there
		o.Dialer = &netdial.Dialer{Proxy: func(*http.Request) (*url.URL, error) { return nil, nil }}
	})
	f.await("the log says what it waits for, and what to do", func(supervise.Status) bool {
		text := log.String()
		return strings.Contains(text, `msg="waiting for the coordinator" coordinator=127.0.0.1:1 err=`) && strings.Contains(text, `hint="nothing listens`)
	})
}

// untrusting is an Updater whose program nobody has vouched for.
type untrusting struct{ *fakeUpdater }

func (untrusting) Fetch(context.Context) (bool, string, error) {
	return false, "", fmt.Errorf("%w: nobody to ask", ErrUntrusted)
}

// A buildlet that no release key has signed is not started, though it is there.
func TestUntrustedIsNotStarted(t *testing.T) {
	f := begin(t, func(o *Options) {
		o.Update, o.UpdateEvery = untrusting{&fakeUpdater{file: linked(t)}}, 0
	})
	st := f.await("it is refused twice", func(st supervise.Status) bool { return st.Row >= 2 })
	if st.Starts != 0 || !strings.Contains(st.Why, "not signed by one of the release keys") {
		t.Errorf("got %+v", st)
	}
	if _, err := filepath.EvalSymlinks(f.opts.Update.File()); err != nil {
		t.Error(err)
	}
}
