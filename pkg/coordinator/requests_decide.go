package coordinator

import (
	"net/http"
	"strings"
	"time"

	"gobuild/pkg/api"
	"gobuild/pkg/hint"
	"gobuild/pkg/store"
)

// serveApprove approves a request, or adds to its approval.
func (s *requests) serveApprove(w http.ResponseWriter, r *http.Request, principal string) {
	var a api.Approval
	if _, err := s.c.readJSON(w, r, maxRequestBody, &a); err != nil {
		writeError(w, err)
		return
	}
	rec, err := s.get(r)
	if err == nil {
		err = s.checkApproval(rec, &a)
	}
	if err == nil {
		rec, err = s.decide(r, "request approved", func(rec *store.Request, now time.Time) error {
			return approve(rec, a, principal, now)
		})
	}
	if err == nil && rec.Granted != "" && rec.Connected.IsZero() && s.c.pool.has(rec.Hostname, rec.Granted) {
		s.arrived(rec.Hostname, rec.Granted) // before its approval
		rec, err = s.get(r)
	}
	respond(w, rec, err)
}

// checkApproval checks what a can be checked for without a look at rec's
// state, and brings it into the form that is stored.
func (s *requests) checkApproval(rec store.Request, a *api.Approval) error {
	conf := s.c.opts.Config
	a.Note = strings.TrimSpace(a.Note)
	switch {
	case *a == api.Approval{}:
		return api.Errorf(api.CodeBadRequest, "the approval is empty").
			WithHint("give a host type, a certificate, or at least a note to the owner")
	case a.HostType != "" && conf.Hosts[a.HostType] == nil:
		err := api.Errorf(api.CodeBadRequest, "unknown host type %.100q: this coordinator's configuration has none of that name", a.HostType)
		if near := hint.Nearest(a.HostType, conf.HostTypes()); near != "" {
			return err.WithHint("is it %s? The page %s shows all", near, api.RouteBuilders)
		}
		return err.WithHint("the page %s shows all", api.RouteBuilders)
	case a.HostType != "" && !conf.Hosts[a.HostType].IsReverse:
		return api.Errorf(api.CodeBadRequest, "host type %s is none of dedicated machines: nothing registers as it", a.HostType)
	}
	if err := checkText("note", a.Note, maxWord); err != nil {
		return err
	}
	if a.Certificate == "" {
		return nil
	}
	var err error
	a.Certificate, err = checkCertificate(rec, a.Certificate, time.Now())
	return err
}

// approve enters a into rec. What is granted stays: a second approval adds
// what was missing.
func approve(rec *store.Request, a api.Approval, principal string, now time.Time) error {
	if rec.State == store.RequestRejected {
		return decided(*rec).WithHint("the owner has to file a new request")
	}
	granted := *rec
	granted.State = store.RequestApproved
	for _, f := range []struct {
		what string
		old  *string
		new  string
	}{
		{"host type", &granted.Granted, a.HostType},
		{"certificate", &granted.Certificate, a.Certificate},
	} {
		if f.new == "" || f.new == *f.old {
			continue
		}
		if *f.old != "" {
			return decided(*rec).WithHint("it has a %s already; for another one, reject it with --revoke and let the owner file a new request", f.what)
		}
		*f.old = f.new
	}
	if a.Note != "" {
		granted.Note = a.Note
	}
	if granted != *rec {
		*rec = granted
		rec.DecidedBy, rec.Changed = principal, now
		rec.Collected = time.Time{}
	}
	return nil
}

// serveReject rejects a request.
func (s *requests) serveReject(w http.ResponseWriter, r *http.Request, principal string) {
	var no api.Rejection
	_, err := s.c.readJSON(w, r, maxRequestBody, &no)
	no.Reason = strings.TrimSpace(no.Reason)
	if err == nil && no.Reason == "" {
		err = api.Errorf(api.CodeBadRequest, "the rejection has no reason").WithHint("the owner is owed one: --reason TEXT")
	}
	if err == nil {
		err = checkText("reason", no.Reason, maxWord)
	}
	var rec store.Request
	if err == nil {
		rec, err = s.decide(r, "request rejected", func(rec *store.Request, now time.Time) error {
			return reject(rec, no, principal, now)
		})
	}
	respond(w, rec, err)
}

// reject enters no into rec.
func reject(rec *store.Request, no api.Rejection, principal string, now time.Time) error {
	switch {
	case rec.State == store.RequestRejected && rec.Reason == no.Reason && rec.DecidedBy == principal:
		return nil // the same call came twice
	case rec.State == store.RequestRejected:
		return decided(*rec)
	case rec.State == store.RequestApproved && !no.Revoke:
		return decided(*rec).WithHint("to free its host name nevertheless: gobuild requests reject --revoke %s", rec.ID)
	}
	rec.State, rec.Reason = store.RequestRejected, no.Reason
	rec.DecidedBy, rec.Changed = principal, now
	return nil
}

// decided says that rec is not to be decided again.
func decided(rec store.Request) *api.Error {
	return api.Errorf(api.CodeConflict, "request %s was %s by %s at %s", rec.ID, rec.State, rec.DecidedBy, rec.Changed.UTC().Format(time.RFC3339))
}

// decide changes the request that r's path names, as one transaction.
func (s *requests) decide(r *http.Request, event string, change func(rec *store.Request, now time.Time) error) (store.Request, error) {
	id, now := r.PathValue("id"), time.Now()
	rec, err := s.c.opts.Store.ChangeRequest(r.Context(), id, func(rec *store.Request) error { return change(rec, now) })
	if err == nil && rec.Changed.Equal(now) {
		s.c.log.Info(event, "request", rec.ID, "hostname", rec.Hostname, "port", rec.Port, "by", rec.DecidedBy,
			"hostType", rec.Granted, "certificate", rec.Certificate != "")
	}
	return rec, notStored(id, err)
}
