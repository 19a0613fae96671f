// Package availability says whether a machine takes work. A buildlet tells it
// to coordinators, and a coordinator to people: it is one thing in both their
// protocols.
package availability

import "time"

// Availability is whether a machine takes work, and if not, why and for how
// long. What runs when it changes goes on.
type Availability struct {
	State State `json:"state"`
	// Until is when a pause ends; zero for one that ends with an order only.
	Until time.Time `json:"until,omitzero"`
	// Since is when the state began.
	Since time.Time `json:"since,omitzero"`
	// By is who wanted it: "its owner", or a principal. Empty if it came about
	// by itself.
	By string `json:"by,omitempty"`
	// Why says it in words, as "only 1.2 GB of disk are free".
	Why string `json:"why,omitempty"`
}

// State is the state of an Availability.
type State string

// The states. None stands for Open.
const (
	Open        State = "open"        // takes work
	Draining    State = "draining"    // takes none more and ends after what it has
	Paused      State = "paused"      // takes none until a time or an order
	Quarantined State = "quarantined" // something is wrong with the machine: takes none until that is mended
)

// Takes reports whether work is taken at the given time.
func (a Availability) Takes(now time.Time) bool {
	switch a.State {
	case "", Open:
		return true
	case Paused:
		return !a.Until.IsZero() && !now.Before(a.Until)
	}
	return false
}

// String says a in words, as "paused until 2026-07-01 18:00 UTC by its owner:
// holidays".
func (a Availability) String() string {
	text := string(a.State)
	if text == "" {
		text = string(Open)
	}
	if !a.Until.IsZero() {
		text += " until " + a.Until.UTC().Format("2006-01-02 15:04 MST")
	}
	if a.By != "" {
		text += " by " + a.By
	}
	if a.Why != "" {
		text += ": " + a.Why
	}
	return text
}
