package buildlet

import "gobuild/pkg/availability"

// Availability is whether a buildlet takes work.
type Availability = availability.Availability

// The states of an Availability.
const (
	Open        = availability.Open
	Draining    = availability.Draining
	Paused      = availability.Paused
	Quarantined = availability.Quarantined
)
