package buildlet

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// A status that was asked for over a link that has ended since proves nothing.
func TestProvedTooLate(t *testing.T) {
	p := newPeer(t, nil)
	asked, open, answered := make(chan struct{}, 1), make(chan struct{}), make(chan struct{}, 1)
	lost := make(chan struct{})
	var once sync.Once
	rev := &Reverse{
		Coordinator: p.addr, HostType: "host-x-y", Hostname: "board", Dialer: p.dialer, Log: testLog(),
		Key: func() (string, error) { return "the key", nil },
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked <- struct{}{}
			<-open // a slow gate
			answered <- struct{}{}
		}),
		OnLink: func(l LinkState) {
			if strings.Contains(l.Why, "lost") {
				once.Do(func() { close(lost) })
			}
			if !l.Good.IsZero() {
				t.Errorf("the link is said to be good: %+v", l)
			}
		},
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- rev.Run(ctx) }()
	d := p.link()
	status := make(chan error, 1)
	go func() {
		_, err := p.over(d).Status(t.Context())
		status <- err
	}()
	<-asked
	d.Close()
	<-lost
	close(open)
	<-answered
	time.Sleep(100 * time.Millisecond) // for what comes behind the answer
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	<-status
}
