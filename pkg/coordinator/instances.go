package coordinator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"gobuild/pkg/api"
	"gobuild/pkg/builderkey"
	"gobuild/pkg/buildlet"
	"gobuild/pkg/hint"
	"gobuild/pkg/store"
)

// settleWait is how long the requests on an ended instance may take to go.
const settleWait = 10 * time.Second

// instances are the machines in people's hands.
type instances struct {
	c *Coordinator

	mu    sync.Mutex
	live  map[string]*instance // by ID
	taken map[string]bool      // IDs of instances to be
}

// instance is a living instance.
type instance struct {
	host   *host
	ctx    context.Context // ends with the instance
	cancel context.CancelCauseFunc

	// The rest is guarded by instances.mu.
	rec  store.Instance
	uses int           // requests under way
	idle chan struct{} // closed when the instance has ended and uses is 0
}

func newInstances(c *Coordinator) *instances {
	return &instances{c: c, live: map[string]*instance{}, taken: map[string]bool{}}
}

// create waits for a machine and makes an instance of it. The errors are
// *api.Error; wait, if not 0, bounds the wait.
func (s *instances) create(ctx context.Context, owner, builderType string, wait time.Duration, progress func(api.CreateEvent)) (api.Instance, error) {
	conf := s.c.opts.Config
	builder := conf.Builders[builderType]
	if builder == nil {
		return api.Instance{}, s.unknownBuilder(builderType)
	}
	if h := conf.Hosts[builder.HostType]; !h.IsReverse {
		return api.Instance{}, api.Errorf(api.CodeBadRequest, "builder type %s runs on %s, which is no dedicated machine: this coordinator has no cloud pools", builderType, builder.HostType)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := context.AfterFunc(s.c.ctx, func() {
		cancel(api.Errorf(api.CodeUnavailable, "the coordinator is ending").WithHint("try again when it is back"))
	})
	defer stop()
	if wait > 0 {
		timer := time.AfterFunc(wait, func() {
			cancel(api.Errorf(api.CodeTimeout, "no machine of %s became free within %s", builder.HostType, wait).
				WithHint("see what holds them: gobuild status"))
		})
		defer timer.Stop()
	}
	asked := time.Now()
	for {
		h, err := s.c.pool.acquire(ctx, builder.HostType, asked, progress)
		if err != nil {
			return api.Instance{}, err
		}
		inst, err := s.start(ctx, h, owner, builderType)
		if err == nil {
			return inst, nil
		}
		if refused, ok := errors.AsType[*buildlet.RefusedClaim](err); ok {
			h.log.Info("claim refused", "why", refused)
			s.c.pool.putBack(h, refused.Availability)
			continue
		}
		if ctx.Err() != nil {
			s.c.pool.release(h)
			return api.Instance{}, context.Cause(ctx)
		}
		h.evict(fmt.Errorf("it could not be made ready for an instance: %w", err))
		if progress != nil {
			progress(api.CreateEvent{Message: fmt.Sprintf("%s could not be made ready (%s); looking for another", h.hostname, shownError(err))})
		}
	}
}

// start makes an instance of h.
func (s *instances) start(ctx context.Context, h *host, owner, builderType string) (api.Instance, error) {
	s.mu.Lock()
	id := s.freeID(owner, builderType)
	s.taken[id] = true
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.taken, id)
		s.mu.Unlock()
	}()
	s.c.pool.mu.Lock()
	claims := h.status.Has(buildlet.AdditionClaim)
	s.c.pool.mu.Unlock()
	if claims {
		// The claim is seen to its end even if nobody waits for the machine
		// any more: it is noted before, so that the release ends it.
		s.c.pool.claimed(h, id)
		if err := h.claim(s.c.ctx, id); err != nil {
			return api.Instance{}, err
		}
	}
	if err := s.c.pool.prepare(ctx, h); err != nil {
		return api.Instance{}, fmt.Errorf("empty the work directory: %w", err)
	}
	workDir, err := h.workDir(ctx, 4*s.c.opts.HeartbeatWait)
	if err != nil {
		return api.Instance{}, err
	}
	now := time.Now()
	inst := &instance{host: h, idle: make(chan struct{}), rec: store.Instance{
		Owner:       owner,
		BuilderType: builderType,
		HostType:    h.hostType,
		Hostname:    h.hostname,
		WorkDir:     workDir,
		Created:     now,
		Expires:     now.Add(s.c.opts.IdleLife),
	}}
	inst.ctx, inst.cancel = context.WithCancelCause(s.c.ctx)
	s.c.pool.hold(h, id) // before somebody can end it
	s.mu.Lock()
	inst.rec.ID = id
	s.live[inst.rec.ID] = inst
	s.save(inst.rec) // from here on others write rec
	s.mu.Unlock()
	s.c.log.Info("instance created", "instance", inst.rec.ID, "hostname", h.hostname, "addr", h.addr)
	select {
	case <-h.lost(): // before the instance was there to be told
		s.lost(h, h.link.reason())
	default:
	}
	return s.describe(inst), nil
}

// freeID returns NAME-BUILDERTYPE-N with the least N that is free. The lock
// is held.
func (s *instances) freeID(owner, builderType string) string {
	prefix := strings.TrimPrefix(owner, builderkey.UserPrefix) + "-" + builderType + "-"
	for n := 0; ; n++ {
		if id := prefix + fmt.Sprint(n); s.live[id] == nil && !s.taken[id] {
			return id
		}
	}
}

func (s *instances) unknownBuilder(name string) *api.Error {
	known := s.c.opts.Config.BuilderNames()
	err := api.Errorf(api.CodeBadRequest, "unknown builder type %.100q", name)
	if strings.HasPrefix(name, "host-") {
		return err.WithHint("that looks like a host type; an instance is made of a builder type, as linux-amd64")
	}
	if near := hint.Nearest(name, known); near != "" {
		return err.WithHint("is it %s? The page %s shows all", near, api.RouteBuilders)
	}
	return err.WithHint("the page %s shows all", api.RouteBuilders)
}

// describe returns what the API says of inst.
func (s *instances) describe(inst *instance) api.Instance {
	s.c.pool.mu.Lock()
	status := inst.host.status
	s.c.pool.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	return api.Instance{
		ID:          inst.rec.ID,
		Owner:       inst.rec.Owner,
		BuilderType: inst.rec.BuilderType,
		HostType:    inst.rec.HostType,
		Hostname:    inst.rec.Hostname,
		WorkDir:     inst.rec.WorkDir,
		Created:     inst.rec.Created,
		Expires:     inst.rec.Expires,
		Env:         s.c.opts.Config.Builders[inst.rec.BuilderType].Env(),
		GOOS:        status.GOOS,
		GOARCH:      status.GOARCH,
		Additions:   additionsForUsers(status),
	}
}

// list returns the living instances of owner, or of all if owner is empty,
// sorted by ID.
func (s *instances) list(owner string) []api.Instance {
	s.mu.Lock()
	var all []*instance
	for _, inst := range s.live {
		if owner == "" || inst.rec.Owner == owner {
			all = append(all, inst)
		}
	}
	s.mu.Unlock()
	out := []api.Instance{}
	for _, inst := range all {
		out = append(out, s.describe(inst))
	}
	slices.SortFunc(out, func(a, b api.Instance) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// get returns the living instance id if principal owns it. The error is an
// *api.Error; of an instance that has ended it says when and why.
func (s *instances) get(id, principal string) (*instance, error) {
	s.mu.Lock()
	inst := s.live[id]
	s.mu.Unlock()
	if inst == nil {
		return nil, s.notThere(id, principal)
	}
	if inst.rec.Owner != principal {
		return nil, api.Errorf(api.CodeForbidden, "instance %s belongs to %s, not to %s", id, inst.rec.Owner, principal)
	}
	return inst, nil
}

func (s *instances) notThere(id, principal string) *api.Error {
	rec, err := s.c.opts.Store.Instance(s.c.ctx, id)
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && rec.Owner != principal:
		return api.Errorf(api.CodeNotFound, "there is no instance %.100q", id).
			WithHint("gobuild gomote list shows yours")
	case err != nil:
		return api.Errorf(api.CodeInternal, "look up instance %s: %v", id, err)
	case rec.Ended.IsZero():
		return api.Errorf(api.CodeGone, "instance %s ended with the coordinator that ran it", id).
			WithHint("make a new one: gobuild gomote create %s", rec.BuilderType)
	}
	return api.Errorf(api.CodeGone, "instance %s ended at %s: %s", id, rec.Ended.UTC().Format(time.RFC3339), rec.Why).
		WithHint("make a new one: gobuild gomote create %s", rec.BuilderType)
}

// use renews inst's life and keeps it alive until the returned function is
// called.
func (s *instances) use(inst *instance) (done func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.live[inst.rec.ID] != inst {
		return nil, context.Cause(inst.ctx)
	}
	inst.uses++
	s.renew(inst)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		inst.uses--
		if s.live[inst.rec.ID] == inst {
			s.renew(inst)
		} else if inst.uses == 0 {
			close(inst.idle)
		}
	}, nil
}

// renew sets inst's life to its full length. The lock is held.
func (s *instances) renew(inst *instance) {
	inst.rec.Expires = time.Now().Add(s.c.opts.IdleLife)
	s.save(inst.rec)
}

// expireLoop ends instances that nobody uses.
func (s *instances) expireLoop() {
	tick := time.NewTicker(max(min(s.c.opts.IdleLife/20, 10*time.Second), 10*time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-s.c.ctx.Done():
			return
		case <-tick.C:
		}
		var due []*instance
		s.mu.Lock()
		for _, inst := range s.live {
			if inst.uses > 0 {
				s.renew(inst)
			} else if time.Now().After(inst.rec.Expires) {
				due = append(due, inst)
			}
		}
		s.mu.Unlock()
		for _, inst := range due {
			s.c.work.Go(func() {
				s.end(inst, fmt.Sprintf("it expired: nobody used it for %s", s.c.opts.IdleLife))
			})
		}
	}
}

// end ends inst: its requests are cut, upon which the buildlet kills what
// they run, its machine is emptied and given back. It returns when that is
// done, and at once if inst has ended before.
func (s *instances) end(inst *instance, why string) {
	if !s.forget(inst, why) {
		return
	}
	select {
	case <-inst.idle:
	case <-time.After(settleWait):
		s.c.log.Warn("requests linger on an ended instance", "instance", inst.rec.ID)
	}
	s.c.pool.release(inst.host)
}

// forget makes inst an ended one and cuts its requests. It reports whether
// inst was living.
func (s *instances) forget(inst *instance, why string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.live[inst.rec.ID] != inst {
		return false
	}
	delete(s.live, inst.rec.ID)
	inst.rec.Ended, inst.rec.Why = time.Now(), why
	s.save(inst.rec)
	inst.cancel(api.Errorf(api.CodeGone, "instance %s ended: %s", inst.rec.ID, why))
	if inst.uses == 0 {
		close(inst.idle)
	}
	s.c.log.Info("instance ended", "instance", inst.rec.ID, "why", why)
	return true
}

// lost ends the instance that h was, since h's link has ended.
func (s *instances) lost(h *host, why error) {
	s.mu.Lock()
	var held *instance
	for _, inst := range s.live {
		if inst.host == h {
			held = inst
		}
	}
	s.mu.Unlock()
	if held != nil {
		s.forget(held, fmt.Sprintf("its machine %s was lost: %v", h.hostname, why))
	}
}

// save stores a record. A failure is logged: the instance itself goes on.
func (s *instances) save(rec store.Instance) {
	if err := s.c.opts.Store.SaveInstance(context.WithoutCancel(s.c.ctx), rec); err != nil {
		s.c.log.Error("instance not recorded", "instance", rec.ID, "err", err)
	}
}
