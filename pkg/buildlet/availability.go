package buildlet

import "time"

// Availability is whether a buildlet takes work, and if not, why and for how
// long. What runs when it changes goes on.
type Availability struct {
	State AvailabilityState `json:"state"`
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

// AvailabilityState is the state of an Availability.
type AvailabilityState string

// The states.
const (
	Open        AvailabilityState = "open"        // takes work
	Draining    AvailabilityState = "draining"    // takes none more and ends after what it has
	Paused      AvailabilityState = "paused"      // takes none until a time or an order
	Quarantined AvailabilityState = "quarantined" // something is wrong with the machine: takes none until that is mended
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
