package api

import "time"

// Version says what a coordinator is.
type Version struct {
	Program string    `json:"program"` // name and version
	Started time.Time `json:"started"` // when it began to serve
	Dev     bool      `json:"dev"`     // runs with the development master key
}

// Whoami says whom a key makes its bearer.
type Whoami struct {
	Principal string `json:"principal"` // user-NAME or a host type
}

// HostState is what a registered machine does.
type HostState string

// The states of a Host.
const (
	HostChecking HostState = "checking" // registered; it has not answered /status yet
	HostIdle     HostState = "idle"     // waits for an instance
	HostWorking  HostState = "working"  // held by an instance
	HostWiping   HostState = "wiping"   // its work directory is being emptied

	// A machine that nobody holds and that takes no work:
	HostDraining    HostState = "draining"    // it is about to leave
	HostPaused      HostState = "paused"      // its owner, or a maintainer, wants it so
	HostQuarantined HostState = "quarantined" // something is wrong with it
)

// Host is a machine that is connected now.
type Host struct {
	Hostname  string    `json:"hostname"`           // as it reports it; not unique
	HostType  string    `json:"hostType"`           // what it registered as
	Addr      string    `json:"addr"`               // remote address of its link
	Version   string    `json:"version"`            // protocol version it reports
	Program   string    `json:"program,omitempty"`  // program it reports; empty: upstream's buildlet
	Connected time.Time `json:"connected"`          // since when
	State     HostState `json:"state"`              // what it does
	Since     time.Time `json:"since"`              // since when it does that
	Why       string    `json:"why,omitempty"`      // why it takes no work, or takes none after what it has
	Instance  string    `json:"instance,omitempty"` // the instance that holds it
	Heard     time.Time `json:"heard"`              // last answer to a heartbeat
	Twins     []string  `json:"twins,omitempty"`    // addresses of other machines with the same host name

	Availability Availability `json:"availability,omitzero"` // what was last heard of it
	ClaimedBy    []HostClaim  `json:"claimedBy,omitempty"`   // others that wanted to register as this machine, and were refused
	Strays       int          `json:"strays,omitempty"`      // processes that had outlived their instance and were killed
	LastStrays   *HostStrays  `json:"lastStrays,omitempty"`  // the last of them
}

// HostClaim is another machine that wanted to register under the name of one
// that is there.
type HostClaim struct {
	Addr  string    `json:"addr"`  // of its last attempt
	When  time.Time `json:"when"`  // of its last attempt
	Times int       `json:"times"` // attempts
}

// HostAvailability is the answer to a request for another Availability.
type HostAvailability struct {
	Hostname     string       `json:"hostname"`
	HostType     string       `json:"hostType"`
	Addr         string       `json:"addr"`
	Availability Availability `json:"availability"`      // what holds now
	Decides      string       `json:"decides,omitempty"` // who decides; empty: it is done
}

// HostStrays are the processes that an instance has left behind.
type HostStrays struct {
	Instance  string    `json:"instance"`
	When      time.Time `json:"when"`
	Processes []string  `json:"processes"` // as "4711 (sleep)"
}

// HostGone is a machine that was connected and is not now.
type HostGone struct {
	Hostname string    `json:"hostname"`
	HostType string    `json:"hostType"`
	Addr     string    `json:"addr"`
	When     time.Time `json:"when"`
	Why      string    `json:"why"`
}

// HostType counts the machines of a host type.
type HostType struct {
	Name     string `json:"name"`
	Total    int    `json:"total"`    // connected
	InUse    int    `json:"inUse"`    // of them not idle
	Expected int    `json:"expected"` // ExpectNum of the configuration
	Waiting  int    `json:"waiting"`  // requests for an instance that wait
}

// Pool is the reverse pool.
type Pool struct {
	Types []HostType `json:"types"` // sorted by name; all that are connected, expected or waited for
	Hosts []Host     `json:"hosts"` // sorted by type, then host name
	Gone  []HostGone `json:"gone"`  // the last 20, newest first
}

// Instance is a machine in somebody's hands.
type Instance struct {
	ID          string    `json:"id"`          // NAME-BUILDERTYPE-N
	Owner       string    `json:"owner"`       // principal, user-NAME
	BuilderType string    `json:"builderType"` // what was asked for
	HostType    string    `json:"hostType"`    // what it runs on
	Hostname    string    `json:"hostname"`    // of the machine
	Created     time.Time `json:"created"`
	Expires     time.Time `json:"expires"` // if it is not used until then
	WorkDir     string    `json:"workDir"` // in the machine's notation
	Env         []string  `json:"env"`     // what the builder type adds to a command's environment
	GOOS        string    `json:"goos,omitempty"`
	GOARCH      string    `json:"goarch,omitempty"`
	Additions   []string  `json:"additions,omitempty"` // what its buildlet can do beyond upstream's protocol
}

// CreateRequest asks for an instance.
type CreateRequest struct {
	BuilderType string `json:"builderType"`
	// WaitSeconds bounds the wait for a machine; 0 means as long as the
	// caller stays.
	WaitSeconds int `json:"waitSeconds,omitempty"`
}

// CreateEvent is a line of the answer to a CreateRequest. The last line has
// Instance or Error, the ones before it have neither.
type CreateEvent struct {
	Message  string    `json:"message,omitempty"`  // what is waited for
	Ahead    int       `json:"ahead,omitempty"`    // requests that are served first
	Instance *Instance `json:"instance,omitempty"` // done
	Error    *Error    `json:"error,omitempty"`    // failed
}

// BuilderType is what a client needs to know of a builder type, in the names
// of upstream's configuration.
type BuilderType struct {
	HostType string // the host type that it runs on
	Notes    string // free text
	FlakyNet bool   // the network there cannot be relied on
}
