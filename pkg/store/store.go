// Package store keeps what a coordinator must not forget: who holds which
// instance, when and why an instance ended, which machines were told to take
// no work, and who has asked to take in a new machine and what was decided.
//
// Store is the interface; Memory, in this package, forgets with the process.
// What lives only as long as a connection does (the reverse pool) is left to
// package coordinator.
package store

import (
	"context"
	"errors"
	"time"

	"gobuild/pkg/availability"
)

// ErrNotFound is returned for an ID of which nothing is known.
var ErrNotFound = errors.New("store: not found")

// Instance is the record of an instance, living or ended.
type Instance struct {
	ID          string // NAME-BUILDERTYPE-N; used again once it has ended
	Owner       string // principal, user-NAME
	BuilderType string
	HostType    string
	Hostname    string // of the machine
	WorkDir     string // in the machine's notation
	Created     time.Time
	Expires     time.Time // if it is not used until then
	Ended       time.Time // zero: it lives
	Why         string    // why it ended
}

// HostAvailability is whether a machine takes work that cannot keep that
// itself.
type HostAvailability struct {
	HostType, Hostname string
	availability.Availability
}

// Store keeps records. Its methods may be called by several goroutines at
// once; each is one transaction.
type Store interface {
	// SaveInstance stores inst in place of the record with its ID, if any.
	SaveInstance(ctx context.Context, inst Instance) error
	// Instance returns the record of id, living or ended, or ErrNotFound.
	Instance(ctx context.Context, id string) (Instance, error)
	// Instances returns the records of all living instances, sorted by ID.
	Instances(ctx context.Context) ([]Instance, error)

	// AddRequest stores r as a pending request and returns it with the ID that
	// it has got: its host name and the next number. If the host name has an
	// open request, that is returned, with ErrExists; if maxPending requests
	// are pending, nothing is, with ErrFull.
	AddRequest(ctx context.Context, r Request, maxPending int) (Request, error)
	// ChangeRequest lets change alter the record of id, its ID and host name
	// apart, and returns what came of it. If change returns an error,
	// nothing is altered and the error returned. An unknown id is ErrNotFound.
	// change must do nothing else: it may be called again.
	ChangeRequest(ctx context.Context, id string, change func(*Request) error) (Request, error)
	// Request returns the record of id, or ErrNotFound.
	Request(ctx context.Context, id string) (Request, error)
	// Requests returns the records of all requests, in the order in which
	// they were added, without CSR, report and certificate, which are long.
	Requests(ctx context.Context) ([]Request, error)
	// NoteConnected notes on the approved request for hostname and hostType,
	// if there is one, that its machine was connected, and returns its ID. If
	// there is none, or it was noted before, the ID is empty.
	NoteConnected(ctx context.Context, hostname, hostType string, at time.Time) (id string, err error)

	// SaveHostAvailability stores a in place of the record with its host type
	// and host name, if any. One whose State is empty is removed.
	SaveHostAvailability(ctx context.Context, a HostAvailability) error
	// HostAvailabilities returns all records, sorted by host type and name.
	HostAvailabilities(ctx context.Context) ([]HostAvailability, error)

	// Close ends the use of the store.
	Close() error
}
