package buildlet

import (
	"encoding/json"
	"sync"
	"testing"
)

// orderer is a supervisor's end that gives its order while a Report with a
// wish is still being written.
type orderer struct {
	s    *Server
	stop chan struct{}
	once sync.Once
}

func (o *orderer) Write(p []byte) (int, error) {
	var r Report
	if json.Unmarshal(p, &r) == nil && r.Wish != nil {
		o.once.Do(func() {
			o.s.SetAvailability(*r.Wish)
			close(o.stop)
		})
	}
	return len(p), nil
}

// A wish that is granted at once is not told again.
func TestWishGrantedAtOnce(t *testing.T) {
	s := serve(t, Options{}).Server
	s.duty.change(func() { s.duty.wish = &Availability{State: Paused} })
	o := &orderer{s: s, stop: make(chan struct{})}
	s.writeReports(o, o.stop)
	if r := s.Report(); r.Wish != nil || r.Availability.State != Paused {
		t.Errorf("after the order: %+v", r)
	}
}
