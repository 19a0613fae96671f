package supervise

import "time"

// Phase is what a worker is to the farm that it works for, beside the State of
// its process.
type Phase struct {
	Name  PhaseName `json:"name"`
	Since time.Time `json:"since"`         // when it began
	Why   string    `json:"why,omitempty"` // why it began, where there is something to say
}

// PhaseName is the name of a Phase.
type PhaseName string

// The phases.
const (
	Dead        PhaseName = "dead"        // not in the pool, and not about to be
	Connecting  PhaseName = "connecting"  // starts, or looks for the farm
	Idle        PhaseName = "idle"        // waits for work
	Working     PhaseName = "working"     // has work
	Draining    PhaseName = "draining"    // finishes what it has, and takes no more
	Paused      PhaseName = "paused"      // its owner wants it to take no work
	Quarantined PhaseName = "quarantined" // something is wrong with the machine
)

// phases are all there are, for metrics.
var phases = []PhaseName{Dead, Connecting, Idle, Working, Draining, Paused, Quarantined}

// SetPhase says what the worker is to its farm; without a name, that it is not
// known. A phase that goes on keeps its Since.
func (s *Supervisor) SetPhase(p Phase) {
	s.mu.Lock()
	old := s.status.Phase
	if p.Name == "" {
		s.status.Phase = nil
		s.mu.Unlock()
		return
	}
	if old != nil && old.Name == p.Name && old.Why == p.Why {
		s.mu.Unlock()
		return
	}
	if p.Since.IsZero() {
		p.Since = time.Now()
	}
	if old != nil && old.Name == p.Name {
		p.Since = old.Since // only the reason is another
	}
	s.status.Phase = &p
	status := s.status
	s.mu.Unlock()
	if old == nil || old.Name != p.Name {
		s.opts.Log.Info(s.opts.Name+" is "+string(p.Name), "why", p.Why)
	}
	s.notify.send("STATUS=" + status.Line())
}
