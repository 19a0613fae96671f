package coordinator

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"gobuild/pkg/api"
	"gobuild/pkg/buildlet"
)

// keepGone is how many departed machines are remembered.
const keepGone = 20

// pool is the reverse pool: the machines that are connected and the requests
// that wait for one.
type pool struct {
	c *Coordinator

	mu      sync.Mutex
	hosts   []*host // in the order in which they registered
	waiters []*waiter
	gone    []api.HostGone // newest first
	closed  bool
	// toldMu lets one at a time change told together with its record.
	toldMu sync.Mutex
	// told are the machines that cannot keep themselves that they take no work.
	told map[hostKey]api.Availability
}

// waiter is a request for a machine. A machine that was found for it is in
// found.
type waiter struct {
	hostType string
	asked    time.Time
	found    chan *host // of capacity 1
}

func newPool(c *Coordinator) *pool { return &pool{c: c, told: map[hostKey]api.Availability{}} }

// add takes in a machine that has registered and tends it.
func (p *pool) add(h *host) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		h.evict(context.Canceled)
		close(h.removed)
		return
	}
	h.log.Info("registered", "version", h.version)
	p.hosts = append(p.hosts, h)
	p.c.work.Go(func() { p.c.tend(h) })
	p.mu.Unlock()
}

// ready makes h available: it has answered with its status.
func (p *pool) ready(h *host, s buildlet.Status) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h.status, h.heard = s, time.Now()
	h.version = fmt.Sprint(s.Version)
	p.set(h, api.HostIdle)
	h.log.Info("in the pool", "program", s.Program)
	p.handOut()
}

// has reports whether a machine of that name and type is there, and has
// answered.
func (p *pool) has(hostname, hostType string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.ContainsFunc(p.hosts, func(h *host) bool {
		return h.hostname == hostname && h.hostType == hostType && h.state != api.HostChecking
	})
}

// heard notes a machine's answer to a heartbeat.
func (p *pool) heard(h *host, s buildlet.Status) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if before := p.available(h); h.status.Has(buildlet.AdditionAvailability) && s.Has(buildlet.AdditionAvailability) {
		h.status.Availability = s.Availability
		if now := p.available(h); now.State != before.State || now.Why != before.Why {
			h.log.Info("availability", "now", now)
		}
	}
	h.heard, h.refused = time.Now(), false
	p.handOut() // a pause may be over
}

// set changes h's state. The lock is held.
func (p *pool) set(h *host, s api.HostState) {
	h.state, h.since = s, time.Now()
}

// remove forgets a machine whose link has ended.
func (p *pool) remove(h *host, why error) {
	p.mu.Lock()
	h.gone = true
	text := leftBecause(p.available(h), why) // why is fit to be shown
	p.hosts = slices.DeleteFunc(p.hosts, func(o *host) bool { return o == h })
	p.gone = append([]api.HostGone{{
		Hostname: h.hostname, HostType: h.hostType, Addr: h.addr, When: time.Now(), Why: text,
	}}, p.gone...)
	p.gone = p.gone[:min(len(p.gone), keepGone)]
	p.mu.Unlock()
	h.log.Info("gone", "why", text)
	p.c.insts.lost(h, why)
	close(h.removed)
}

// acquire waits for a machine of hostType and marks it working. Machines go
// to those who asked first, at the time asked. progress, which may be nil, is told now and then
// what is waited for.
func (p *pool) acquire(ctx context.Context, hostType string, asked time.Time, progress func(api.CreateEvent)) (*host, error) {
	w := &waiter{hostType: hostType, asked: asked, found: make(chan *host, 1)}
	p.mu.Lock()
	at, _ := slices.BinarySearchFunc(p.waiters, w, func(a, b *waiter) int { return a.asked.Compare(b.asked) })
	p.waiters = slices.Insert(p.waiters, at, w)
	p.handOut()
	p.mu.Unlock()

	tick := time.NewTicker(p.c.opts.ProgressEvery)
	defer tick.Stop()
	for {
		select { // a machine that is there needs no message
		case h := <-w.found:
			return h, nil
		default:
		}
		if progress != nil {
			progress(p.waitingFor(w))
		}
		select {
		case h := <-w.found:
			return h, nil
		case <-tick.C:
		case <-ctx.Done():
			p.withdraw(w)
			return nil, context.Cause(ctx)
		}
	}
}

// withdraw takes back a request; a machine found meanwhile goes to the next.
func (p *pool) withdraw(w *waiter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiters = slices.DeleteFunc(p.waiters, func(o *waiter) bool { return o == w })
	select {
	case h := <-w.found:
		if !h.gone {
			p.set(h, api.HostIdle)
			p.handOut()
		}
	default:
	}
}

// waitingFor says what w waits for.
func (p *pool) waitingFor(w *waiter) api.CreateEvent {
	p.mu.Lock()
	defer p.mu.Unlock()
	ahead, total, away := 0, 0, 0
	for _, o := range p.waiters {
		if o == w {
			break
		}
		if o.hostType == w.hostType {
			ahead++
		}
	}
	for _, h := range p.hosts {
		if h.hostType == w.hostType {
			total++
			if !p.available(h).Takes(time.Now()) {
				away++
			}
		}
	}
	msg := fmt.Sprintf("all %d machines of %s are in use", total, w.hostType)
	switch total {
	case 0:
		msg = fmt.Sprintf("no machine of %s is connected", w.hostType)
	case 1:
		msg = fmt.Sprintf("the one machine of %s is in use", w.hostType)
	}
	switch {
	case away > 0 && away == total:
		msg = fmt.Sprintf("no machine of %s takes work: see gobuild status", w.hostType)
	case away > 0:
		msg += fmt.Sprintf(", or takes no work (%d)", away)
	}
	return api.CreateEvent{Message: msg, Ahead: ahead}
}

// handOut gives idle machines to those who wait. The lock is held.
func (p *pool) handOut() {
	p.waiters = slices.DeleteFunc(p.waiters, func(w *waiter) bool {
		for _, h := range p.hosts {
			if h.hostType == w.hostType && p.takes(h) {
				p.set(h, api.HostWorking)
				w.found <- h
				return true
			}
		}
		return false
	})
}

// hold notes which instance holds h.
func (p *pool) hold(h *host, instance string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h.instance, h.clean = instance, false
}

// claimed notes the instance that h was claimed for; whatever becomes of it,
// its release names it.
func (p *pool) claimed(h *host, instance string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h.instance = instance
}

// prepare empties h's work directory if that is not known to be empty.
func (p *pool) prepare(ctx context.Context, h *host) error {
	p.mu.Lock()
	clean := h.clean
	p.mu.Unlock()
	if clean {
		return nil
	}
	return h.wipe(ctx)
}

// release ends what an instance has left behind on h, empties the work
// directory, and gives h to the next. A machine that cannot be emptied is cut
// off: it registers anew, or its owner sees why not.
func (p *pool) release(h *host) {
	p.mu.Lock()
	if h.gone {
		p.mu.Unlock()
		return
	}
	instance := h.instance
	h.instance = ""
	sweeps := instance != "" && h.status.Has(buildlet.AdditionClaim)
	p.set(h, api.HostWiping)
	p.mu.Unlock()
	var err error
	if sweeps {
		err = p.c.sweep(p.c.ctx, h, instance)
	} else {
		err = h.wipe(p.c.ctx)
	}
	if err != nil {
		h.evict(fmt.Errorf("its work directory could not be emptied: %w", err))
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !h.gone {
		h.clean = true
		p.set(h, api.HostIdle)
		p.handOut()
	}
}

// close cuts all links.
func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	// The goroutines that tend them evict the machines, as c.ctx has ended.
}

// snapshot returns the pool as it is now.
func (p *pool) snapshot() api.Pool {
	p.mu.Lock()
	defer p.mu.Unlock()
	types := map[string]*api.HostType{}
	typeOf := func(name string) *api.HostType {
		if types[name] == nil {
			types[name] = &api.HostType{Name: name}
		}
		return types[name]
	}
	for name, conf := range p.c.opts.Config.Hosts {
		if conf.ExpectNum > 0 {
			typeOf(name).Expected = conf.ExpectNum
		}
	}
	for _, w := range p.waiters {
		typeOf(w.hostType).Waiting++
	}
	addrs := map[string][]string{} // by host name
	for _, h := range p.hosts {
		addrs[h.hostname] = append(addrs[h.hostname], h.addr)
	}
	out := api.Pool{Types: []api.HostType{}, Hosts: []api.Host{}, Gone: slices.Clone(p.gone)}
	if out.Gone == nil {
		out.Gone = []api.HostGone{}
	}
	for _, h := range p.hosts {
		t := typeOf(h.hostType)
		t.Total++
		state, since, why := p.shown(h)
		if h.state != api.HostIdle {
			t.InUse++
		}
		out.Hosts = append(out.Hosts, api.Host{
			Hostname: h.hostname, HostType: h.hostType, Addr: h.addr,
			Version: h.version, Program: h.status.Program,
			Connected: h.connected, State: state, Since: since, Why: why,
			Instance: h.instance, Heard: h.heard,
			Twins:        without(addrs[h.hostname], h.addr),
			Availability: p.available(h),
			ClaimedBy:    h.freshClaims(),
			Strays:       h.strays, LastStrays: h.lastStrays,
		})
	}
	for _, t := range types {
		out.Types = append(out.Types, *t)
	}
	slices.SortFunc(out.Types, func(a, b api.HostType) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(out.Hosts, func(a, b api.Host) int {
		return cmp.Or(cmp.Compare(a.HostType, b.HostType), cmp.Compare(a.Hostname, b.Hostname), cmp.Compare(a.Addr, b.Addr))
	})
	return out
}

// without returns list without s.
func without(list []string, s string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(o string) bool { return o == s })
}
