package buildlet

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"gobuild/pkg/availability"
	"gobuild/pkg/plain"
)

// heldAfterUse is how long after its last request a machine counts as held
// where the coordinator does not claim it, as upstream's does not.
const heldAfterUse = time.Minute

// Limits of the texts in an Availability, in bytes.
const (
	maxBy   = 200
	maxWhy  = 500
	maxName = 50
)

// duty is what a Server is about: who holds it, and whether it takes work.
type duty struct {
	mu        sync.Mutex
	ordered   Availability // what was set
	gate      string       // why the gate is shut; empty: it is open
	gateSince time.Time
	instance  string        // the instance that holds the machine
	claims    bool          // the coordinator claims before it hands out
	used      time.Time     // last time at which a request worked on the machine
	uses      int           // such requests under way
	strays    int           // killed so far
	wish      *Availability // asked for by way of the coordinator
	wishTold  bool          // the supervisor has been told of it
	link      LinkState     // as last told
	linked    bool          // there is a link to keep up
	ending    string        // why the server ends; empty: it does not
	state     ReportState   // as last looked at
	since     time.Time     // of state
	changed   chan struct{} // closed at the next change
}

// change alters d by f and tells those who wait for changes.
func (d *duty) change(f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f()
	close(d.changed)
	d.changed = make(chan struct{})
}

// availability returns what coordinators are told. The lock is held.
func (d *duty) availability(now time.Time) Availability {
	a := d.ordered
	if a.State == "" || a.State == Paused && a.Takes(now) {
		since := a.Until // of a pause that has ended by itself
		if since.IsZero() {
			since = a.Since
		}
		a = Availability{State: Open, Since: since}
	}
	if a.State == Open && d.gate != "" {
		return Availability{State: Quarantined, Since: d.gateSince, Why: d.gate}
	}
	return a
}

// held reports whether somebody has the machine. The lock is held.
func (d *duty) held(now time.Time, commands int) bool {
	return d.instance != "" || commands > 0 || !d.claims && (d.uses > 0 || !d.used.IsZero() && now.Sub(d.used) < heldAfterUse)
}

// does returns what the server does, and why where there is something to
// say. The lock is held.
func (d *duty) does(now time.Time, commands int) (state ReportState, why string) {
	switch {
	case d.ending != "":
		return Ending, d.ending
	case d.linked && d.link.Good.IsZero():
		return Connecting, d.link.Why
	case d.held(now, commands):
		return Working, ""
	}
	return Idle, ""
}

// next returns when something changes by itself; zero: nothing does.
func (d *duty) next(now time.Time) (at time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if a := d.ordered; a.State == Paused && a.Until.After(now) {
		at = a.Until
	}
	if end := d.used.Add(heldAfterUse); !d.claims && end.After(now) && (at.IsZero() || end.Before(at)) {
		at = end
	}
	return at
}

// SetAvailability sets what s says to coordinators. A Worker that is Draining
// ends once nobody holds the machine.
func (s *Server) SetAvailability(a Availability) error {
	a, err := checked(a, time.Now())
	if err != nil {
		return err
	}
	s.duty.change(func() {
		if s.duty.wishTold {
			s.duty.wish = nil // this is the answer to it
		}
		if s.duty.ordered.State == a.State && !s.duty.ordered.Since.IsZero() && a.Since.IsZero() {
			a.Since = s.duty.ordered.Since
		}
		if a.Since.IsZero() {
			a.Since = time.Now()
		}
		s.duty.ordered = a
	})
	s.log.Info("availability", logged(a)...)
	return nil
}

// Availability returns what s says to coordinators. A gate that is shut shows
// in it.
func (s *Server) Availability() Availability {
	s.duty.mu.Lock()
	defer s.duty.mu.Unlock()
	return s.duty.availability(time.Now())
}

// Report returns what s does.
func (s *Server) Report() Report {
	commands := s.Busy()
	now := time.Now()
	d := &s.duty
	d.mu.Lock()
	defer d.mu.Unlock()
	state, why := d.does(now, commands)
	if state != d.state {
		d.state, d.since = state, now
	}
	return Report{
		State: state, Since: d.since, Why: why, Registered: d.link.Good,
		Instance: d.instance, Commands: commands, Availability: d.availability(now),
		Claims: d.claims, Strays: d.strays, Wish: d.wish,
	}
}

// Changed returns a channel that is closed when the Report changes, unless
// time alone changes it.
func (s *Server) Changed() <-chan struct{} {
	s.duty.mu.Lock()
	defer s.duty.mu.Unlock()
	return s.duty.changed
}

// drained reports whether s has been told to drain, and nobody holds it.
func (s *Server) drained() bool {
	commands := s.Busy()
	now := time.Now()
	s.duty.mu.Lock()
	defer s.duty.mu.Unlock()
	return s.duty.ordered.State == Draining && !s.duty.held(now, commands)
}

// setEnding notes why s is about to end; the first reason stays.
func (s *Server) setEnding(why string) {
	s.duty.change(func() {
		if s.duty.ending == "" {
			s.duty.ending = why
		}
	})
}

// setFailed notes why s could not go on. Where that is the link, it was told
// before and is told again.
func (s *Server) setFailed(why string) {
	s.duty.change(func() {
		if s.duty.linked {
			s.duty.link = LinkState{Why: why}
		} else if s.duty.ending == "" {
			s.duty.ending = why
		}
	})
}

// setLink notes the state of the link. What held the machine ends with it.
func (s *Server) setLink(l LinkState) {
	var instance string
	s.duty.change(func() {
		s.duty.link, s.duty.linked = l, true
		if l.Up {
			s.duty.claims = slices.Contains(l.Additions, AdditionClaim)
			return
		}
		instance, s.duty.instance = s.duty.instance, ""
		s.duty.used = time.Time{}
	})
	if instance != "" {
		s.cleanUp(instance)
	}
}

// consultGate asks the gate, if there is one, whether the machine is fit for
// work.
func (s *Server) consultGate() {
	if s.opts.Gate == nil {
		return
	}
	why := plain.Line(s.opts.Gate(), maxWhy)
	d := &s.duty
	d.mu.Lock()
	before := d.gate
	d.mu.Unlock()
	if why == before {
		return
	}
	switch {
	case before == "":
		s.log.Warn("quarantined", "why", why)
	case why == "":
		s.log.Info("no more quarantined")
	}
	d.change(func() {
		if d.gate == "" || d.gateSince.IsZero() {
			d.gateSince = time.Now()
		}
		d.gate = why
	})
}

// noteUse notes a request that works on the machine; done notes its end.
func (s *Server) noteUse(r *http.Request) (done func()) {
	switch r.URL.Path {
	case "/", "/healthz", "/status", "/halt", "/claim", "/release", "/availability", "/debug/x", "/debug/goroutines":
		return func() {}
	}
	d := &s.duty
	note := func(uses int) {
		d.mu.Lock()
		now := time.Now()
		before := d.held(now, 0)
		d.uses += uses
		if uses > 0 || !d.linked || d.link.Up { // else its caller has gone
			d.used = now
		}
		news := before != d.held(now, 0)
		d.mu.Unlock()
		if news {
			d.change(func() {})
		}
	}
	note(1)
	return func() { note(-1) }
}

// checked returns a with its texts made fit to be shown, or says what is wrong
// with it.
func checked(a Availability, now time.Time) (Availability, error) {
	switch a.State {
	case "":
		a.State = Open
	case Open, Draining, Paused, Quarantined:
	default:
		return a, fmt.Errorf("unknown state %.50q: it is %s, %s, %s or %s", a.State, Open, Draining, Paused, Quarantined)
	}
	if a.State != Paused && !a.Until.IsZero() {
		return a, fmt.Errorf("%s has no end in time: only a pause has", a.State)
	}
	if y := a.Until.Year(); !a.Until.IsZero() && (y < 2000 || y > 9999) {
		return a, errors.New("the time is none")
	}
	if a.Since.After(now) {
		a.Since = now
	}
	a.By, a.Why = plain.Line(a.By, maxBy), plain.Line(a.Why, maxWhy)
	return a, nil
}

// logged returns a as a log shows it: what is said.
func logged(a Availability) []any {
	said := []any{"state", a.State}
	if !a.Until.IsZero() {
		said = append(said, "until", a.Until)
	}
	if a.By != "" {
		said = append(said, "by", a.By)
	}
	if a.Why != "" {
		said = append(said, "why", a.Why)
	}
	return said
}

// clipped returns a, which somebody else says, with texts that can be shown.
func clipped(a Availability) Availability {
	a.State = availability.State(plain.Line(string(a.State), maxName))
	a.By, a.Why = plain.Line(a.By, maxBy), plain.Line(a.Why, maxWhy)
	return a
}
