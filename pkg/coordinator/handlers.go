package coordinator

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"gobuild/pkg/api"
	"gobuild/pkg/builderkey"
)

// maxRequestBody bounds a JSON request, in bytes.
const maxRequestBody = 64 << 10

// routes is the table of what the coordinator serves.
func (c *Coordinator) routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+api.RouteHealthz, serveOK)
	mux.HandleFunc("GET "+api.RouteNetcheck, serveOK)
	mux.HandleFunc(api.RouteReverse, c.serveReverse)
	mux.HandleFunc(api.RouteRevdial, c.serveRevdial)
	mux.HandleFunc("GET "+api.RouteDownloads+"{name}", (&downloads{dir: c.opts.Downloads}).serve)
	mux.HandleFunc("GET /{$}", c.serveStatusPage)
	mux.HandleFunc("GET "+api.RouteStatus, c.serveStatusPage)
	mux.HandleFunc("GET "+api.RouteBuilders, c.serveBuildersPage)
	mux.HandleFunc("GET "+api.RouteVersion, func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, api.Version{Program: c.opts.Program, Started: c.started, Dev: c.opts.Dev})
	})
	mux.HandleFunc("GET "+api.RouteHosts, func(w http.ResponseWriter, r *http.Request) { writeJSON(w, c.pool.snapshot()) })
	mux.HandleFunc("POST "+api.RouteHost+"{hostname}"+api.PathAvailability, c.withKey("", c.serveAvailability))
	mux.HandleFunc("GET "+api.RouteTypes, func(w http.ResponseWriter, r *http.Request) { writeJSON(w, c.opts.Config) })
	mux.HandleFunc("GET "+api.RouteWhoami, c.withKey("", func(w http.ResponseWriter, r *http.Request, principal string) {
		writeJSON(w, api.Whoami{Principal: principal})
	}))
	mux.HandleFunc("POST "+api.RouteInstances, c.withUser(c.serveCreate))
	mux.HandleFunc("GET "+api.RouteInstances, c.withUser(func(w http.ResponseWriter, r *http.Request, principal string) {
		writeJSON(w, c.insts.list(principal))
	}))
	mux.HandleFunc("GET "+api.RouteInstance+"{id}", c.withInstance(func(w http.ResponseWriter, r *http.Request, inst *instance, _ string) {
		writeJSON(w, c.insts.describe(inst))
	}))
	mux.HandleFunc("DELETE "+api.RouteInstance+"{id}", c.withInstance(func(w http.ResponseWriter, r *http.Request, inst *instance, principal string) {
		c.destroy(w, inst, principal)
	}))
	mux.HandleFunc("POST "+api.RouteInstance+"{id}"+api.PathKeepAlive, c.withInstance(func(w http.ResponseWriter, r *http.Request, inst *instance, _ string) {
		done, err := c.insts.use(inst)
		if err != nil {
			writeError(w, err)
			return
		}
		done()
		writeJSON(w, c.insts.describe(inst))
	}))
	mux.HandleFunc(api.RouteInstance+"{id}"+api.PathBuildlet+"/{path...}", c.withUser(c.serveBuildlet))
	mux.HandleFunc("POST "+api.RouteRequests, c.asked.serveFile)
	mux.HandleFunc("GET "+api.RouteRequests, c.asked.withMaintainer(c.asked.serveList))
	mux.HandleFunc("GET "+api.RouteRequest+"{id}", c.asked.serveRequest)
	mux.HandleFunc("POST "+api.RouteRequest+"{id}"+api.PathCollect, c.asked.serveCollect)
	mux.HandleFunc("POST "+api.RouteRequest+"{id}"+api.PathApprove, c.asked.withMaintainer(c.asked.serveApprove))
	mux.HandleFunc("POST "+api.RouteRequest+"{id}"+api.PathReject, c.asked.withMaintainer(c.asked.serveReject))
	mux.HandleFunc("/api/", func(w http.ResponseWriter, r *http.Request) {
		writeError(w, api.Errorf(api.CodeNotFound, "there is no route %s %.200s", r.Method, r.URL.Path))
	})
	return mux
}

func serveOK(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "ok\n") }

// withKey passes requests on whose key is good. The key's bearer has to be
// one whose principal begins with prefix.
func (c *Coordinator) withKey(prefix string, next func(http.ResponseWriter, *http.Request, string)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		principal, key, given := r.BasicAuth()
		var refusal *api.Error
		switch {
		case !given:
			refusal = api.Errorf(api.CodeUnauthorized, "this needs a key and none came").
				WithHint("the user is user-NAME, the password the key that the farm's maintainer makes with: gobuild keygen user-NAME")
		case !c.opts.Master.Verify(principal, key):
			c.log.Warn("wrong key", "addr", r.RemoteAddr, "principal", principal, "path", r.URL.Path)
			refusal = api.Errorf(api.CodeUnauthorized, "the key is not that of %.100q", principal).
				WithHint("a key is made for one name, from this coordinator's master key; ask the farm's maintainer")
		case !strings.HasPrefix(principal, prefix):
			refusal = api.Errorf(api.CodeForbidden, "%.100q is no user: instances are for principals user-NAME", principal)
		}
		if refusal != nil {
			c.hurry(w)
			writeError(w, refusal)
			return
		}
		next(w, r, principal)
	}
}

// hurry bounds the wait for the body of a request: who sends it by drops would
// hold a connection for ever, even one that was refused, since the server
// reads on before it answers.
func (c *Coordinator) hurry(w http.ResponseWriter) {
	http.NewResponseController(w).SetReadDeadline(time.Now().Add(c.opts.BodyWait))
}

// answerBy bounds the wait for the answer to be read; 0 means no bound. It
// holds for this one request.
func (c *Coordinator) answerBy(w http.ResponseWriter, wait time.Duration) {
	var at time.Time
	if wait > 0 {
		at = time.Now().Add(wait)
	}
	http.NewResponseController(w).SetWriteDeadline(at)
}

// readBody reads the body of r, of at most limit bytes.
func (c *Coordinator) readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	c.hurry(w)
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if err != nil {
		w.Header().Set("Connection", "close") // what follows is not waited for
		if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return nil, api.Errorf(api.CodeTooLarge, "the request is longer than %d bytes", tooLarge.Limit)
		}
		return nil, api.Errorf(api.CodeBadRequest, "the request broke off: %v", err)
	}
	http.NewResponseController(w).SetReadDeadline(time.Time{})
	return body, nil
}

// readJSON reads the body of r, one JSON value of at most limit bytes without
// unknown fields, into v, and returns the body.
func (c *Coordinator) readJSON(w http.ResponseWriter, r *http.Request, limit int64, v any) ([]byte, error) {
	body, err := c.readBody(w, r, limit)
	if err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err = dec.Decode(v); err == nil {
		if _, extra := dec.Token(); extra != io.EOF {
			err = errors.New("something follows the JSON object")
		}
	}
	if err != nil {
		return nil, api.Errorf(api.CodeBadRequest, "the request is not what it should be: %v", err).
			WithHint("the program that sent it may be older or newer than this coordinator")
	}
	return body, nil
}

func (c *Coordinator) withUser(next func(http.ResponseWriter, *http.Request, string)) http.HandlerFunc {
	return c.withKey(builderkey.UserPrefix, next)
}

// withInstance passes requests on whose bearer owns the living instance {id}.
func (c *Coordinator) withInstance(next func(http.ResponseWriter, *http.Request, *instance, string)) http.HandlerFunc {
	return c.withUser(func(w http.ResponseWriter, r *http.Request, principal string) {
		inst, err := c.insts.get(r.PathValue("id"), principal)
		if err != nil {
			writeError(w, err)
			return
		}
		next(w, r, inst, principal)
	})
}

// serveCreate answers with a stream of api.CreateEvent.
func (c *Coordinator) serveCreate(w http.ResponseWriter, r *http.Request, principal string) {
	var req api.CreateRequest
	body, err := c.readBody(w, r, maxRequestBody)
	if err != nil {
		writeError(w, err)
		return
	}
	// Unknown fields are passed over.
	if err := json.Unmarshal(body, &req); err != nil {
		writeError(w, api.Errorf(api.CodeBadRequest, "the request is not what it should be: %v", err).
			WithHint(`as {"builderType":"linux-amd64"}`))
		return
	}
	if req.WaitSeconds < 0 {
		writeError(w, api.Errorf(api.CodeBadRequest, "waitSeconds is %d", req.WaitSeconds))
		return
	}
	rc := http.NewResponseController(w)
	enc := json.NewEncoder(w)
	send := func(ev api.CreateEvent) error {
		w.Header().Set("Content-Type", api.ContentStream)
		rc.SetWriteDeadline(time.Now().Add(30 * time.Second))
		if err := enc.Encode(ev); err != nil {
			return err
		}
		return rc.Flush()
	}
	streaming := false
	inst, err := c.insts.create(r.Context(), principal, req.BuilderType, time.Duration(req.WaitSeconds)*time.Second, func(ev api.CreateEvent) {
		streaming = true
		send(ev)
	})
	switch {
	case err != nil && !streaming:
		c.answerBy(w, c.opts.AnswerWait) // anew: to make it ready may have taken minutes
		writeError(w, err)
	case err != nil:
		send(api.CreateEvent{Error: asAPIError(err)})
	case r.Context().Err() != nil || send(api.CreateEvent{Instance: &inst}) != nil:
		// Nobody is there to use it.
		if live, err := c.insts.get(inst.ID, principal); err == nil {
			c.insts.end(live, "its maker went away before it was there")
		}
	}
}

// asAPIError makes an *api.Error of any error.
func asAPIError(err error) *api.Error {
	var e *api.Error
	switch {
	case errors.As(err, &e):
		return e
	case errors.Is(err, context.Canceled):
		return api.Errorf(api.CodeUnavailable, "the request was withdrawn")
	}
	return api.Errorf(api.CodeInternal, "%v", err)
}

func writeError(w http.ResponseWriter, err error) { asAPIError(err).Write(w) }

func writeJSON(w http.ResponseWriter, v any) { writeJSONStatus(w, http.StatusOK, v) }

func writeJSONStatus(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}
