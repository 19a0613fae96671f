package coordinator

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"gobuild/pkg/api"
	"gobuild/pkg/builderkey"
	"gobuild/pkg/buildlet"
	"gobuild/pkg/hint"
	"gobuild/pkg/plain"
	"gobuild/pkg/store"
)

const (
	// byOwner is who wants what a machine's builder key was shown for.
	byOwner = "its owner"
	// availabilityWait bounds the passing on of an availability.
	availabilityWait = 20 * time.Second
	// maxWhy is the longest reason, in bytes.
	maxWhy = 500
	// maxPause is the longest pause with an end.
	maxPause = 10 * 365 * 24 * time.Hour
)

// hostKey names a machine.
type hostKey struct{ hostType, hostname string }

// recall reads which machines were told to take no work and cannot keep that
// themselves.
func (p *pool) recall() error {
	list, err := p.c.opts.Store.HostAvailabilities(p.c.ctx)
	if err != nil {
		return err
	}
	for _, a := range list {
		p.told[hostKey{a.HostType, a.Hostname}] = a.Availability
	}
	return nil
}

// available returns whether h takes work. The lock is held.
func (p *pool) available(h *host) api.Availability {
	if !h.status.Has(buildlet.AdditionAvailability) {
		return p.told[hostKey{h.hostType, h.hostname}]
	}
	return h.status.Availability
}

// takes reports whether h may be handed out. The lock is held.
func (p *pool) takes(h *host) bool {
	return h.state == api.HostIdle && !h.gone && !h.refused && p.available(h).Takes(time.Now())
}

// shown returns what is said of h's state. The lock is held.
func (p *pool) shown(h *host) (state api.HostState, since time.Time, why string) {
	a := p.available(h)
	if a.Takes(time.Now()) {
		return h.state, h.since, ""
	}
	why = a.String()
	if h.state != api.HostIdle {
		return h.state, h.since, why
	}
	if since = a.Since; since.Before(h.since) {
		since = h.since
	}
	switch a.State {
	case api.Draining:
		state = api.HostDraining
	case api.Paused:
		state = api.HostPaused
	default:
		state = api.HostQuarantined
	}
	return state, since, why
}

// serveAvailability asks for another availability of a machine. It is for the
// machine's owner, who has its builder key, and for maintainers.
func (c *Coordinator) serveAvailability(w http.ResponseWriter, r *http.Request, principal string) {
	var a api.Availability
	if _, err := c.readJSON(w, r, maxRequestBody, &a); err != nil {
		writeError(w, err)
		return
	}
	now := time.Now()
	if err := checkAvailability(a, now); err != nil {
		writeError(w, err)
		return
	}
	h, err := c.hostOfPrincipal(r.PathValue("hostname"), r.FormValue("hostType"), principal)
	if err != nil {
		writeError(w, err)
		return
	}
	a.By, a.Why, a.Since = principal, plain.Line(a.Why, 0), now
	if !strings.HasPrefix(principal, builderkey.UserPrefix) {
		a.By = byOwner
	}
	decides, err := c.setAvailability(r.Context(), h, a)
	if err != nil {
		writeError(w, err)
		return
	}
	h.log.Info("availability asked for", "availability", a, "by", a.By, "decides", decides)
	c.pool.mu.Lock()
	out := api.HostAvailability{Hostname: h.hostname, HostType: h.hostType, Addr: h.addr, Availability: c.pool.available(h), Decides: decides}
	c.pool.mu.Unlock()
	writeJSON(w, out)
}

// checkAvailability says what is wrong with what somebody asks for.
func checkAvailability(a api.Availability, now time.Time) error {
	switch {
	case a.State != api.Open && a.State != api.Draining && a.State != api.Paused:
		return api.Errorf(api.CodeBadRequest, "unknown state %.50q: it is %s, %s or %s", a.State, api.Open, api.Draining, api.Paused)
	case a.State != api.Paused && !a.Until.IsZero():
		return api.Errorf(api.CodeBadRequest, "%s has no end in time: only a pause has", a.State)
	case !a.Until.IsZero() && !a.Until.After(now):
		return api.Errorf(api.CodeBadRequest, "%s has passed already: here it is %s", a.Until.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	case a.Until.After(now.Add(maxPause)):
		return api.Errorf(api.CodeBadRequest, "a pause until %.30s is no pause", a.Until.UTC().Format(time.RFC3339)).WithHint("leave the time out for a pause without end")
	case len(a.Why) > maxWhy:
		return api.Errorf(api.CodeBadRequest, "the reason is longer than %d bytes", maxWhy)
	}
	return nil
}

// shownError returns the text of an error, in which a machine may have had its
// say, on one line of decent length.
func shownError(err error) string { return plain.Line(err.Error(), 600) }

// hostOfPrincipal returns the one machine named hostname that principal may
// change; hostType, if not empty, chooses between namesakes.
func (c *Coordinator) hostOfPrincipal(hostname, hostType, principal string) (*host, error) {
	owner := !strings.HasPrefix(principal, builderkey.UserPrefix)
	if !owner && !c.asked.maintainer(principal) {
		return nil, api.Errorf(api.CodeForbidden, "%.100q is no maintainer of this farm", principal).
			WithHint("a machine's owner uses its host type and its builder key")
	}
	c.pool.mu.Lock()
	defer c.pool.mu.Unlock()
	var found []*host
	var names, others []string
	for _, h := range c.pool.hosts {
		switch {
		case owner && h.hostType != principal:
			if h.hostname == hostname {
				others = append(others, h.hostType)
			}
			continue
		case h.hostname == hostname && (hostType == "" || h.hostType == hostType):
			found = append(found, h)
		}
		names = append(names, h.hostname)
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		var where []string
		for _, h := range found {
			where = append(where, fmt.Sprintf("%s from %s", h.hostType, h.addr))
		}
		return nil, api.Errorf(api.CodeConflict, "%d machines are named %s: %s", len(found), hostname, strings.Join(where, ", ")).
			WithHint("use the builder key of the host type that is meant, or name it: ?hostType=TYPE")
	case len(others) > 0:
		return nil, api.Errorf(api.CodeForbidden, "%.100s is no machine of %.100s: it is connected as %s", hostname, principal, strings.Join(others, ", "))
	}
	e := api.Errorf(api.CodeNotFound, "no machine named %.100q is connected", hostname)
	if near := hint.Nearest(hostname, names); near != "" {
		return nil, e.WithHint("is it %s?", near)
	}
	return nil, e.WithHint("gobuild status shows all")
}

// setAvailability tells h, or remembers for one that cannot be told. It
// returns who decides, if that is still open.
func (c *Coordinator) setAvailability(ctx context.Context, h *host, a api.Availability) (decides string, err error) {
	c.pool.mu.Lock()
	can := h.status.Has(buildlet.AdditionAvailability)
	checking := h.state == api.HostChecking
	c.pool.mu.Unlock()
	if checking {
		return "", api.Errorf(api.CodeUnavailable, "%s has registered and has not answered yet", h.hostname).WithHint("try again in a moment")
	}
	if can {
		ctx, cancel := context.WithTimeoutCause(ctx, availabilityWait, fmt.Errorf("no answer within %s", availabilityWait))
		defer cancel()
		answer, err := h.client.SetAvailability(ctx, a)
		if err != nil {
			return "", api.Errorf(api.CodeUnreachable, "%s (%s): %s", h.hostname, h.addr, shownError(err))
		}
		c.pool.mu.Lock()
		h.status.Availability, h.refused = answer.Availability, false
		c.pool.handOut()
		c.pool.mu.Unlock()
		return answer.Decides, nil
	}
	rec := store.HostAvailability{HostType: h.hostType, Hostname: h.hostname}
	if a.State != api.Open {
		rec.Availability = a
	}
	c.pool.toldMu.Lock()
	defer c.pool.toldMu.Unlock()
	if err := c.opts.Store.SaveHostAvailability(context.WithoutCancel(ctx), rec); err != nil {
		return "", api.Errorf(api.CodeInternal, "keep that %s is %s: %v", h.hostname, a.State, err)
	}
	c.pool.mu.Lock()
	defer c.pool.mu.Unlock()
	key := hostKey{h.hostType, h.hostname}
	if a.State == api.Open {
		delete(c.pool.told, key)
	} else {
		c.pool.told[key] = a
	}
	c.pool.handOut()
	return "", nil
}

// claim tells a machine that can be told that an instance gets it.
func (h *host) claim(ctx context.Context, instance string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, dialWait, fmt.Errorf("no answer within %s", dialWait))
	defer cancel()
	return h.client.Claim(ctx, instance)
}

// putBack returns a machine that has refused its claim to the pool. It is not
// asked again before it has been heard of: it may refuse although it said that
// it takes work, as one does whose clock is behind in a pause.
func (p *pool) putBack(h *host, a buildlet.Availability) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if h.gone {
		return
	}
	h.status.Availability = a
	h.instance, h.refused = "", true
	p.set(h, api.HostIdle)
	p.handOut()
}

// sweep ends an instance on a machine that sweeps, which empties the work
// directory, too.
func (c *Coordinator) sweep(ctx context.Context, h *host, instance string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, wipeWait, fmt.Errorf("not done within %s", wipeWait))
	defer cancel()
	rel, err := h.client.Release(ctx, instance)
	if err != nil || len(rel.Strays) == 0 {
		return err
	}
	last := &api.HostStrays{Instance: instance, When: time.Now()}
	for i, s := range rel.Strays {
		if i == 20 {
			last.Processes = append(last.Processes, fmt.Sprintf("and %d more", len(rel.Strays)-i))
			break
		}
		text := fmt.Sprintf("%d (%s)", s.PID, s.Command)
		if s.Lives {
			text += ", which lives on"
		}
		last.Processes = append(last.Processes, text)
	}
	h.log.Warn("processes had outlived their instance", "instance", instance, "strays", strings.Join(last.Processes, ", "))
	c.pool.mu.Lock()
	defer c.pool.mu.Unlock()
	h.strays += len(rel.Strays)
	h.lastStrays = last
	return nil
}

// additionsForUsers are the additions of a buildlet that matter to those who
// work on it.
func additionsForUsers(s buildlet.Status) []string {
	return slices.DeleteFunc(slices.Clone(s.Additions), func(name string) bool {
		return name == buildlet.AdditionClaim || name == buildlet.AdditionAvailability
	})
}

// leftBecause says why a machine has gone that had said that it takes no work.
func leftBecause(a api.Availability, why error) string {
	if a.Takes(time.Now()) {
		return why.Error()
	}
	return a.String() + "; " + why.Error()
}
