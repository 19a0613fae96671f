package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Errors of AddRequest.
var (
	ErrExists = errors.New("store: the host name has an open request")
	ErrFull   = errors.New("store: too many requests are pending")
)

// RequestState is what was decided on a Request.
type RequestState string

// The states of a Request. It is open unless it was rejected.
const (
	RequestPending  RequestState = "pending"
	RequestApproved RequestState = "approved"
	RequestRejected RequestState = "rejected"
)

// Request is the record of a request to take in a new machine.
type Request struct {
	ID       string // HOSTNAME.N
	Hostname string // of the machine
	Port     string // GOOS-GOARCH
	HostType string // that the owner would like; empty: no wish
	Contact  string // where to write to the owner
	CSR      string // PEM
	KeyID    string // fingerprint of the CSR's public key
	Report   string // readiness report
	State    RequestState
	Created  time.Time
	Changed  time.Time // when it was last decided on

	DecidedBy   string // principal, user-NAME
	Reason      string // why it was rejected
	Note        string // said with the approval
	Granted     string // host type whose key the owner gets; empty: none
	Certificate string // PEM; empty: none

	Collected time.Time // when the owner first collected what was granted last
	Connected time.Time // when a machine of Hostname and Granted was first in the pool
}

// Open reports whether r holds its host name.
func (r Request) Open() bool { return r.State != RequestRejected }

// AddRequest implements Store.
func (m *Memory) AddRequest(_ context.Context, r Request, maxPending int) (Request, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	pending, last := 0, 0
	for _, old := range m.requests {
		if old.State == RequestPending {
			pending++
		}
		if old.Hostname != r.Hostname {
			continue
		}
		if old.Open() {
			return old, ErrExists
		}
		n, _ := strconv.Atoi(old.ID[strings.LastIndexByte(old.ID, '.')+1:])
		last = max(last, n)
	}
	if pending >= maxPending {
		return Request{}, ErrFull
	}
	r.ID, r.State = fmt.Sprintf("%s.%d", r.Hostname, last+1), RequestPending
	m.requests = append(m.requests, r)
	return r, nil
}

// ChangeRequest implements Store. Of the rejected requests it keeps the last
// 1000.
func (m *Memory) ChangeRequest(_ context.Context, id string, change func(*Request) error) (Request, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := slices.IndexFunc(m.requests, func(r Request) bool { return r.ID == id })
	if i < 0 {
		return Request{}, ErrNotFound
	}
	r := m.requests[i]
	if err := change(&r); err != nil {
		return Request{}, err
	}
	m.requests[i] = r
	m.forgetRejected()
	return r, nil
}

// forgetRejected drops the rejected request that was decided on first, if
// there are too many. The lock is held.
func (m *Memory) forgetRejected() {
	rejected, first := 0, -1
	for i, r := range m.requests {
		if r.Open() {
			continue
		}
		rejected++
		if first < 0 || r.Changed.Before(m.requests[first].Changed) {
			first = i
		}
	}
	if rejected > keepEnded {
		m.requests = slices.Delete(m.requests, first, first+1)
	}
}

// Request implements Store.
func (m *Memory) Request(_ context.Context, id string) (Request, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.requests {
		if r.ID == id {
			return r, nil
		}
	}
	return Request{}, ErrNotFound
}

// Requests implements Store.
func (m *Memory) Requests(context.Context) ([]Request, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := slices.Clone(m.requests)
	for i := range list {
		list[i].CSR, list[i].Report, list[i].Certificate = "", "", ""
	}
	return list, nil
}

// NoteConnected implements Store.
func (m *Memory) NoteConnected(_ context.Context, hostname, hostType string, at time.Time) (id string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, r := range m.requests {
		if r.Hostname == hostname && r.State == RequestApproved && r.Granted == hostType && r.Connected.IsZero() {
			m.requests[i].Connected = at
			return r.ID, nil
		}
	}
	return "", nil
}
