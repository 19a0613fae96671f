// Package store keeps what a coordinator must not forget: who holds which
// instance, and when and why an instance ended.
//
// Store is the interface; Memory, in this package, forgets with the process.
// What lives only as long as a connection does (the reverse pool) is left to
// package coordinator.
package store

import (
	"context"
	"errors"
	"time"
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

// Store keeps records. Its methods may be called by several goroutines at
// once; each is one transaction.
type Store interface {
	// SaveInstance stores inst in place of the record with its ID, if any.
	SaveInstance(ctx context.Context, inst Instance) error
	// Instance returns the record of id, living or ended, or ErrNotFound.
	Instance(ctx context.Context, id string) (Instance, error)
	// Instances returns the records of all living instances, sorted by ID.
	Instances(ctx context.Context) ([]Instance, error)
	// Close ends the use of the store.
	Close() error
}
