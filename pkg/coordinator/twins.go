package coordinator

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"gobuild/pkg/api"
)

const (
	// twinWait is how long a machine has to answer when another wants to
	// register under its name.
	twinWait = 5 * time.Second
	// removeWait bounds the wait for a machine that gives way to be gone.
	removeWait = 10 * time.Second
	// keepClaims is for how long, and maxClaims how many, of those that were
	// refused are remembered.
	keepClaims = time.Hour
	maxClaims  = 3
	// maxQueue is how many may wait to register under one name.
	maxQueue = 16
)

// giveWay decides what becomes of older now that addr wants to register under
// its name: a machine that answers stays, unless it is the same process that
// comes back. It reports whether older has gone.
func (c *Coordinator) giveWay(older *host, process, addr string) bool {
	if process != "" && process == older.process {
		older.evict(errors.New("its buildlet has registered anew"))
	} else {
		_, err := older.check(c.ctx, twinWait)
		if err == nil {
			c.pool.claimedBy(older, addr)
			return false
		}
		older.evict(fmt.Errorf("it did not answer when %s registered under its name: %w", addr, err))
	}
	select {
	case <-older.removed:
	case <-time.After(removeWait):
	}
	return true
}

// holder returns the machine that is registered as hostname of hostType, or
// nil.
func (p *pool) holder(hostname, hostType string) *host {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, h := range p.hosts {
		if h.hostname == hostname && h.hostType == hostType {
			return h
		}
	}
	return nil
}

// claimedBy notes on h that addr wanted its name. Attempts from the same
// machine count as one claim.
func (p *pool) claimedBy(h *host, addr string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	claim := api.HostClaim{Addr: addr, When: time.Now(), Times: 1}
	h.claims = slices.DeleteFunc(h.claims, func(o api.HostClaim) bool {
		same := hostOf(o.Addr) == hostOf(addr)
		if same {
			claim.Times += o.Times
		}
		return same
	})
	h.claims = append([]api.HostClaim{claim}, h.claims...)
	h.claims = h.claims[:min(len(h.claims), maxClaims)]
}

// freshClaims returns the claims that are still worth a word. The lock is
// held.
func (h *host) freshClaims() []api.HostClaim {
	return slices.DeleteFunc(slices.Clone(h.claims), func(o api.HostClaim) bool { return time.Since(o.When) > keepClaims })
}

// hostOf returns the host of an address.
func hostOf(addr string) string {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	return host
}

// nameLocks let one at a time register under a name.
type nameLocks struct {
	mu   sync.Mutex
	held map[string]*nameLock
}

type nameLock struct {
	turn  chan struct{} // of capacity 1
	users int
}

// lock waits for the name to be free and takes it; ok is false if ctx ends
// first, or if too many wait.
func (l *nameLocks) lock(ctx context.Context, name string) (free func(), ok bool) {
	l.mu.Lock()
	if l.held == nil {
		l.held = map[string]*nameLock{}
	}
	n := l.held[name]
	if n == nil {
		n = &nameLock{turn: make(chan struct{}, 1)}
		l.held[name] = n
	}
	if n.users >= maxQueue {
		l.mu.Unlock()
		return nil, false
	}
	n.users++
	l.mu.Unlock()
	leave := func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if n.users--; n.users == 0 {
			delete(l.held, name)
		}
	}
	select {
	case n.turn <- struct{}{}:
		return func() { <-n.turn; leave() }, true
	case <-ctx.Done():
		leave()
		return nil, false
	}
}
