package supervise

import (
	"fmt"
	"strings"
	"time"
)

// State is what a supervisor is doing.
type State string

// The states.
const (
	Starting   State = "starting"    // checks, downloads, starts
	Running    State = "running"     // the program runs
	BackingOff State = "backing off" // it failed, and is tried again soon
	GivenUp    State = "given up"    // it failed too often; it is tried again after a long rest
	Held       State = "held"        // it is not to run for now
	Stopping   State = "stopping"    // it was told to end
	Stopped    State = "stopped"     // nothing runs any more
)

// states are all there are, for metrics.
var states = []State{Starting, Running, BackingOff, GivenUp, Held, Stopping, Stopped}

// Status is how a supervised program is.
type Status struct {
	// Name says what runs.
	Name  string    `json:"name"`
	State State     `json:"state"`
	Since time.Time `json:"since"` // when State began
	Why   string    `json:"why"`   // why State began
	// Phase is what the worker is to its farm, where that is known.
	Phase *Phase `json:"phase,omitempty"`
	// Trouble is why the program does no good although it runs; empty if it
	// does.
	Trouble string `json:"trouble,omitempty"`
	// DownSince is since when the program has not been running well; zero if
	// it is.
	DownSince time.Time `json:"downSince,omitzero"`
	// NextTry is when the program is started again; zero if it runs.
	NextTry time.Time `json:"nextTry,omitzero"`
	// Pid is the number of the running process, or 0.
	Pid int `json:"pid,omitempty"`
	// Starts counts how often the program was started, Failures how often it
	// failed, Row how often in a row.
	Starts   int `json:"starts"`
	Failures int `json:"failures"`
	Row      int `json:"failuresInARow"`
	// Strays counts processes that outlived the program and were killed.
	Strays int `json:"strays"`
	// LastEnd says how the program ended last, and when.
	LastEnd   string    `json:"lastEnd,omitempty"`
	LastEndAt time.Time `json:"lastEndAt,omitzero"`
	// Facts are what else there is to know.
	Facts []Fact `json:"facts,omitempty"`
}

// Fact is a line on the status page; with Metric it is a gauge, too.
type Fact struct {
	Name   string  `json:"name"`
	Text   string  `json:"text"`
	Metric string  `json:"-"` // name behind gobuild_worker_; empty for none
	Help   string  `json:"-"` // what the metric is, if Name does not say it
	Value  float64 `json:"-"` // in the unit that Metric names
}

// Up reports whether the program runs, or is not meant to, and nothing is
// known to be wrong. What goes wrong in a pause is nobody's worry.
func (s Status) Up() bool {
	if s.Phase != nil {
		switch s.Phase.Name {
		case Paused:
			return s.State != Stopping && s.State != Stopped
		case Dead, Connecting, Quarantined:
			return false
		}
	}
	return (s.State == Running || s.State == Held) && s.Trouble == ""
}

// Line is the status in one line.
func (s Status) Line() string {
	if s.Phase != nil && (s.State == Running || s.State == Held) {
		if s.Phase.Why == "" {
			return string(s.Phase.Name)
		}
		if strings.HasPrefix(s.Phase.Why, string(s.Phase.Name)) {
			return s.Phase.Why // as "paused until ..."
		}
		return fmt.Sprintf("%s: %s", s.Phase.Name, s.Phase.Why)
	}
	switch {
	case s.Trouble != "":
		return fmt.Sprintf("%s, but %s", s.State, s.Trouble)
	case s.Why == "":
		return string(s.State)
	}
	return fmt.Sprintf("%s: %s", s.State, s.Why)
}
