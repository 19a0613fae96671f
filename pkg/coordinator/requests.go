package coordinator

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"gobuild/pkg/api"
	"gobuild/pkg/builderkey"
	"gobuild/pkg/store"
)

// maxPending bounds the queue: strangers fill it.
const maxPending = 1000

// requests is the queue of those who ask to take in a new machine. Strangers
// file requests and prove by their CSR's private key who they are;
// maintainers decide on them. All that is known of a request is in the Store.
type requests struct {
	c     *Coordinator
	filed *limiter // new requests, by remote address
}

func newRequests(c *Coordinator) *requests {
	return &requests{c: c, filed: newLimiter(c.opts.RequestsPerHour, time.Hour)}
}

// maintainer reports whether principal may decide on requests.
func (s *requests) maintainer(principal string) bool {
	return slices.Contains(s.c.opts.Maintainers, principal) ||
		s.c.opts.Dev && strings.HasPrefix(principal, builderkey.UserPrefix)
}

// withMaintainer passes requests on that come from a maintainer.
func (s *requests) withMaintainer(next func(http.ResponseWriter, *http.Request, string)) http.HandlerFunc {
	return s.c.withKey("", func(w http.ResponseWriter, r *http.Request, principal string) {
		if s.maintainer(principal) {
			next(w, r, principal)
			return
		}
		s.c.hurry(w)
		err := api.Errorf(api.CodeForbidden, "%.100q is no maintainer of this farm", principal)
		if known := s.c.opts.Maintainers; len(known) > 0 {
			writeError(w, err.WithHint("the maintainers are %s", strings.Join(known, ", ")))
			return
		}
		writeError(w, err.WithHint("none is named yet: gobuild coordinator --maintainer NAME"))
	})
}

// serveFile takes in a new request.
func (s *requests) serveFile(w http.ResponseWriter, r *http.Request) {
	s.c.hurry(w)
	rec, added, err := s.file(w, r)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	status := http.StatusOK
	if added {
		status = http.StatusCreated
		s.c.log.Info("request filed", "request", rec.ID, "hostname", rec.Hostname, "port", rec.Port, "addr", r.RemoteAddr)
	}
	writeJSONStatus(w, status, describeRequest(rec))
}

// file stores what r asks for. A request that is there already for the same
// host name and key is returned as it is: then added is false.
func (s *requests) file(w http.ResponseWriter, r *http.Request) (rec store.Request, added bool, err error) {
	if len(s.c.opts.Maintainers) == 0 && !s.c.opts.Dev {
		return rec, false, api.Errorf(api.CodeUnavailable, "this coordinator takes no requests: nobody could decide on them").
			WithHint("its operator names a maintainer with: gobuild coordinator --maintainer NAME")
	}
	var asked api.NewRequest
	body, err := s.c.readJSON(w, r, api.MaxNewRequest, &asked)
	if err != nil {
		return rec, false, err
	}
	rec, csr, err := checkNewRequest(asked)
	if err != nil {
		return rec, false, err
	}
	if err := s.checkProof(r, body, csr); err != nil {
		return rec, false, err
	}
	now := time.Now()
	rec.Created, rec.Changed = now, now
	room := maxPending
	wait, allowed := s.filed.take(r.RemoteAddr, now)
	if !allowed {
		room = 0 // but who is in the queue already is told so
	}
	old, err := s.c.opts.Store.AddRequest(r.Context(), rec, room)
	if err == nil {
		return old, true, nil
	}
	if allowed {
		s.filed.giveBack(r.RemoteAddr, now)
	}
	switch {
	case errors.Is(err, store.ErrExists) && old.KeyID == rec.KeyID:
		return old, false, nil
	case errors.Is(err, store.ErrExists):
		return rec, false, api.Errorf(api.CodeConflict, "host name %s has a request already (%s, %s), with another CSR's key", old.Hostname, old.ID, old.State).
			WithHint("if it is yours, use that key; if the key is lost, a maintainer can free the name: gobuild requests reject --revoke %s", old.ID)
	case errors.Is(err, store.ErrFull) && !allowed:
		w.Header().Set("Retry-After", fmt.Sprint(int(wait.Seconds())+1))
		return rec, false, api.Errorf(api.CodeTooMany, "from this address %d requests were filed within an hour", s.c.opts.RequestsPerHour).
			WithHint("try again in %s", roughly(wait))
	case errors.Is(err, store.ErrFull):
		return rec, false, api.Errorf(api.CodeUnavailable, "%d requests wait for a decision: there is no room for more", maxPending).
			WithHint("write to the farm's maintainer")
	}
	return rec, false, fmt.Errorf("store the request: %w", err)
}

// serveRequest shows a request to its proven owner and to a maintainer.
func (s *requests) serveRequest(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get(api.HeaderProof) == "" {
		s.withMaintainer(s.serveShow)(w, r)
		return
	}
	if rec, ok := s.proven(w, r); ok {
		writeJSON(w, describeRequest(rec))
	}
}

// serveCollect hands out to a request's proven owner what was granted.
func (s *requests) serveCollect(w http.ResponseWriter, r *http.Request) {
	s.c.hurry(w) // no body is wanted
	rec, ok := s.proven(w, r)
	if !ok {
		return
	}
	if rec.State != store.RequestApproved {
		writeJSON(w, describeRequest(rec))
		return
	}
	rec.Collected = s.collected(rec)
	out := describeRequest(rec)
	if rec.Granted != "" {
		out.BuilderKey = s.c.opts.Master.Key(rec.Granted)
		s.c.log.Info("builder key handed out", "request", rec.ID, "hostname", rec.Hostname, "hostType", rec.Granted, "addr", r.RemoteAddr)
	}
	writeJSON(w, out)
}

// proven returns the request that r's path names, if r comes from its owner;
// else it answers why not.
func (s *requests) proven(w http.ResponseWriter, r *http.Request) (store.Request, bool) {
	rec, err := s.get(r)
	if err == nil {
		err = s.checkOwner(r, rec)
	}
	if err != nil {
		s.refuse(w, r, err)
	}
	return rec, err == nil
}

// serveShow shows a request to a maintainer.
func (s *requests) serveShow(w http.ResponseWriter, r *http.Request, _ string) {
	rec, err := s.get(r)
	respond(w, rec, err)
}

// respond answers with a request, or with why there is none.
func respond(w http.ResponseWriter, rec store.Request, err error) {
	if err != nil {
		writeError(w, err)
		return
	}
	writeJSON(w, describeRequest(rec))
}

// get returns the request that r's path names.
func (s *requests) get(r *http.Request) (store.Request, error) {
	id := r.PathValue("id")
	rec, err := s.c.opts.Store.Request(r.Context(), id)
	return rec, notStored(id, err)
}

// notStored explains a failure of the Store; nil stays nil.
func notStored(id string, err error) error {
	var refused *api.Error
	switch {
	case err == nil, errors.As(err, &refused):
		return err
	case errors.Is(err, store.ErrNotFound):
		return api.NoRequest(id)
	}
	return fmt.Errorf("request %.100q: %w", id, err)
}

// checkOwner checks that r comes from rec's owner.
func (s *requests) checkOwner(r *http.Request, rec store.Request) error {
	csr, err := parseCSR(rec.CSR)
	if err != nil {
		return fmt.Errorf("request %s: its CSR as stored: %w", rec.ID, err)
	}
	return s.checkProof(r, nil, csr)
}

// checkProof checks that r was sent to this coordinator by the holder of the
// private key of csr. A proof that was given to another server, which passes
// it on, is for another name than those of our certificate.
func (s *requests) checkProof(r *http.Request, body []byte, csr *x509.CertificateRequest) error {
	if r.TLS == nil {
		return api.Errorf(api.CodeUpgradeNeeded, "requests need TLS")
	}
	host := (&url.URL{Host: r.Host}).Hostname()
	if cert := s.c.cert.Load(); cert == nil || cert.VerifyHostname(host) != nil {
		return api.Errorf(api.CodeUnauthorized, "the proof is for %.100q, which is no name of this coordinator's certificate", host).
			WithHint("call the coordinator by the name that its certificate has")
	}
	return api.CheckProof(r, body, csr.PublicKey, time.Now())
}

// refuse answers with err, and logs what an attacker may have caused.
func (s *requests) refuse(w http.ResponseWriter, r *http.Request, err error) {
	s.c.log.Warn("request refused", "addr", r.RemoteAddr, "method", r.Method, "path", r.URL.Path, "why", fmt.Sprintf("%.300s", err.Error()))
	writeError(w, err)
}

// serveList lists requests, without their long parts.
func (s *requests) serveList(w http.ResponseWriter, r *http.Request, _ string) {
	all := r.FormValue("all") == "1"
	list, err := s.list(r.Context(), func(q api.Request) bool { return all || q.Turn != api.TurnNobody })
	if err != nil {
		writeError(w, err)
		return
	}
	writeJSON(w, list)
}

// list returns the requests that are wanted, the oldest first, without their
// long parts.
func (s *requests) list(ctx context.Context, wanted func(api.Request) bool) ([]api.Request, error) {
	recs, err := s.c.opts.Store.Requests(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the requests: %w", err)
	}
	out := []api.Request{}
	for _, rec := range recs {
		if q := describeRequest(rec); wanted(q) {
			out = append(out, q)
		}
	}
	return out, nil
}

// collected notes that the owner has got what got grants, and returns when he
// first did. A failure is logged: the owner gets it all the same.
func (s *requests) collected(got store.Request) time.Time {
	if !got.Collected.IsZero() {
		return got.Collected
	}
	now := time.Now()
	_, err := s.c.opts.Store.ChangeRequest(context.WithoutCancel(s.c.ctx), got.ID, func(rec *store.Request) error {
		if rec.Changed.Equal(got.Changed) && rec.Collected.IsZero() { // else it was decided on meanwhile
			rec.Collected = now
		}
		return nil
	})
	if err != nil {
		s.c.log.Error("collection not recorded", "request", got.ID, "err", err)
	}
	return now
}

// arrived notes that a machine is in the pool, which some owner may have
// asked for. A failure is logged.
func (s *requests) arrived(hostname, hostType string) {
	id, err := s.c.opts.Store.NoteConnected(context.WithoutCancel(s.c.ctx), hostname, hostType, time.Now())
	switch {
	case err != nil:
		s.c.log.Error("arrival not recorded", "hostname", hostname, "hostType", hostType, "err", err)
	case id != "":
		s.c.log.Info("new machine connected", "request", id, "hostname", hostname, "hostType", hostType)
	}
}

// describeRequest returns what the API says of a request, the builder key
// apart.
func describeRequest(rec store.Request) api.Request {
	out := api.Request{
		ID: rec.ID, Hostname: rec.Hostname, Port: rec.Port, HostType: rec.HostType,
		Contact: rec.Contact, CSR: rec.CSR, Report: rec.Report,
		Created: rec.Created, Changed: rec.Changed,
		DecidedBy: rec.DecidedBy,
	}
	switch rec.State {
	case store.RequestPending:
		out.State, out.Turn = api.RequestPending, api.TurnMaintainer
	case store.RequestRejected:
		out.State, out.Turn = api.RequestRejected, api.TurnNobody
		out.Reason = rec.Reason
	case store.RequestApproved:
		out.State, out.Turn = api.RequestApproved, api.TurnOwner
		out.HostType, out.Certificate, out.Note = rec.Granted, rec.Certificate, rec.Note
		out.Collected, out.Connected = rec.Collected, rec.Connected
		switch {
		case !rec.Connected.IsZero():
			out.State, out.Turn = api.RequestConnected, api.TurnNobody
		case rec.Granted == "" && !rec.Collected.IsZero():
			out.Turn = api.TurnNobody // its machine works elsewhere, out of our sight
		}
	}
	return out
}
