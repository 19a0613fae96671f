package buildlet

import "time"

// A supervised buildlet ("gobuild buildlet --supervised") tells the program
// that has started it how it is, a line of JSON each on its standard output,
// and takes orders from it, likewise, on its standard input. The end of that
// input means that the supervisor is gone, and ends the buildlet as a signal
// does. Lines with unknown fields or names are passed over, so that either
// side may be the newer one.

// Report is a line that a supervised buildlet writes, whenever something of
// it changes. All fields are the state at that time.
type Report struct {
	// State is what the buildlet does.
	State ReportState `json:"state"`
	// Since is when State began.
	Since time.Time `json:"since"`
	// Why says why, where there is something to say: why a link was lost, why
	// the coordinator refuses.
	Why string `json:"why,omitempty"`
	// Registered is since when the buildlet has a link to the coordinator that
	// has proved good: zero if it has none.
	Registered time.Time `json:"registered,omitzero"`
	// Instance is the instance that holds the machine, if the coordinator says
	// which.
	Instance string `json:"instance,omitempty"`
	// Commands is how many commands run.
	Commands int `json:"commands,omitempty"`
	// Availability is what the buildlet says to coordinators.
	Availability Availability `json:"availability"`
	// Strays counts the processes that outlived their command or instance and
	// were killed.
	Strays int `json:"strays,omitempty"`
	// Wish, if not nil, is an availability that was asked for by way of the
	// coordinator. The supervisor decides, and gives an Order.
	Wish *Availability `json:"wish,omitempty"`
}

// ReportState is what a supervised buildlet does.
type ReportState string

// The states of a Report.
const (
	Connecting ReportState = "connecting" // has no link to the coordinator
	Idle       ReportState = "idle"       // registered; nobody holds it
	Working    ReportState = "working"    // an instance holds it, or a command runs
	Ending     ReportState = "ending"     // told to end, by a signal, a /halt or a drain
)

// Order is a line that a supervisor writes.
type Order struct {
	// Availability replaces what the buildlet says to coordinators. Draining
	// ends the buildlet, with exit code 0, once nobody holds it.
	Availability Availability `json:"availability"`
}
