package rehearse

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

const (
	// botAPI is where Swarming speaks with bots (section 10.1).
	botAPI = "/swarming/api/v1/bot/"
	// maxCall bounds the body of a call, in bytes.
	maxCall = 1 << 20
	// serverVersion is what the server says of itself.
	serverVersion = "gobuild-rehearsal"
	// idle is for how long a bot with nothing to do waits for a lease, and one
	// that is quarantined is sent to sleep; with the real ones it is minutes.
	idle = 200 * time.Millisecond
)

// swarming answers what a bot asks of Swarming (section 10).
func (s *luciServer) swarming() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /bot_code", s.botCode)
	mux.HandleFunc("GET "+botAPI+"bot_code/{digest}", s.releaseCode)
	mux.HandleFunc("GET "+botAPI+"server_ping", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "Server up") })
	mux.HandleFunc("POST "+botAPI+"handshake", s.call(s.handshake))
	mux.HandleFunc("POST "+botAPI+"poll", s.call(s.poll))
	mux.HandleFunc("POST "+botAPI+"event", s.call(s.event))
	mux.HandleFunc("POST "+botAPI+"rbe/session/create", s.sessionCall(s.createRBE))
	mux.HandleFunc("POST "+botAPI+"rbe/session/update", s.sessionCall(s.updateRBE))
	mux.HandleFunc("POST "+botAPI+"claim", s.sessionCall(s.claim))
	return mux
}

// botCode says where the bot is (section 10.2).
func (s *luciServer) botCode(w http.ResponseWriter, r *http.Request) {
	if !s.admits(r, botIDOf(r)) {
		http.Error(w, fmt.Sprintf(`the caller %q doesn't have server-level permission "swarming.pools.createBot"`, callerOf(r)), http.StatusForbidden)
		return
	}
	s.locked(func() { w.Header().Set("Location", botAPI+"bot_code/"+s.current) })
	w.WriteHeader(http.StatusFound)
}

// releaseCode sends a release of the bot to whoever knows its digest.
func (s *luciServer) releaseCode(w http.ResponseWriter, r *http.Request) {
	var found release
	var instead func(http.ResponseWriter)
	s.locked(func() { found, instead = s.releases[r.PathValue("digest")], s.download })
	switch {
	case found.zip == nil:
		s.botCode(w, r)
		return
	case r.URL.RawQuery != "":
		w.Header().Set("Location", r.URL.Path)
		w.WriteHeader(http.StatusFound)
		return
	}
	s.locked(func() { s.bot(botIDOf(r)).downloads++ })
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Cache-Control", "public, max-age=3600")
	h.Set("Content-Disposition", `attachment; filename="swarming_bot.zip"`)
	if instead != nil {
		instead(w)
		return
	}
	w.Write(found.zip)
}

// botCall is what a bot sends, of all calls together (section 10.3).
type botCall struct {
	Dimensions map[string][]string `json:"dimensions"`
	State      map[string]any      `json:"state"`
	Version    string              `json:"version"`
	SessionID  string              `json:"session_id"`
	Session    string              `json:"session"`
	Event      string              `json:"event"`
	Message    string              `json:"message"`
	Status     string              `json:"status"`
	Nonblock   bool                `json:"nonblocking"`
	TaskID     string              `json:"task_id"`
}

// botHandler answers a call; in has the name of the bot if the call has one.
type botHandler = func(r *http.Request, botID string, in botCall) (map[string]any, *callError)

// callError is a refusal of a call: an HTTP status, and gRPC's name for it.
type callError struct {
	status     int
	name, text string
}

func badCall(format string, args ...any) (map[string]any, *callError) {
	return nil, &callError{http.StatusBadRequest, "InvalidArgument", fmt.Sprintf(format, args...)}
}

// call reads a bot's call, which says its dimensions, and writes the answer of
// do.
func (s *luciServer) call(do botHandler) http.HandlerFunc {
	return s.anyCall(func(r *http.Request, botID string, in botCall) (map[string]any, *callError) {
		if in.Dimensions == nil {
			return badCall("no dimensions")
		}
		return do(r, botID, in)
	})
}

// sessionCall is call for what needs no more than a session.
func (s *luciServer) sessionCall(do botHandler) http.HandlerFunc {
	return s.anyCall(func(r *http.Request, botID string, in botCall) (map[string]any, *callError) {
		known := false
		s.locked(func() { known = s.sessions[in.Session] == botID })
		if !known {
			return badCall("the session is broken")
		}
		return do(r, botID, in)
	})
}

func (s *luciServer) anyCall(do botHandler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		out, refusal := s.answer(w, r, do)
		if refusal != nil {
			http.Error(w, fmt.Sprintf("rpc error: code = %s desc = %s", refusal.name, refusal.text), refusal.status)
			return
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		json.NewEncoder(w).Encode(out)
	}
}

func (s *luciServer) answer(w http.ResponseWriter, r *http.Request, do botHandler) (map[string]any, *callError) {
	if got := r.Header.Get("Content-Type"); !strings.EqualFold(got, "application/json; charset=utf-8") {
		return badCall("bad content type %q", got)
	}
	var in botCall
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxCall)).Decode(&in); err != nil {
		return badCall("bad request: %s", err)
	}
	botID := botIDOf(r)
	if ids := in.Dimensions["id"]; in.Dimensions != nil && (len(ids) != 1 || ids[0] != botID) {
		return badCall("the dimension id is %q, and the bot %q", ids, botID)
	}
	closed := false
	s.locked(func() { closed = s.closed })
	if closed || !s.admits(r, botID) {
		return nil, &callError{http.StatusUnauthorized, "Unauthenticated",
			fmt.Sprintf("the bot is not in bots.cfg or wrong credentials passed: %s as %q", callerOf(r), botID)}
	}
	return do(r, botID, in)
}

func (s *luciServer) handshake(r *http.Request, botID string, in botCall) (map[string]any, *callError) {
	if in.SessionID == "" {
		return nil, &callError{http.StatusBadRequest, "InvalidArgument", "no session_id"}
	}
	session := base64.StdEncoding.EncodeToString([]byte("session " + in.SessionID))
	out := map[string]any{
		"session": session, "server_version": serverVersion, "bot_config_name": "bot_config.py", "bot_config_rev": "",
		"bot_group_cfg": map[string]any{"dimensions": map[string][]string{"pool": {"rehearsal"}}},
	}
	s.locked(func() {
		s.sessions[session] = botID
		saw := s.bot(botID)
		saw.identity, saw.version, saw.kind = callerOf(r), in.Version, s.releases[in.Version].kind
		saw.handshakes++
		out["bot_version"] = s.current
	})
	return out, nil
}

// poll gives a bot something to do, in the order of section 10.3.
func (s *luciServer) poll(_ *http.Request, botID string, in botCall) (map[string]any, *callError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	saw := s.bot(botID)
	saw.polls++
	saw.quarantine, _ = in.State["quarantined"].(string)
	orders := s.orders[botID]
	switch {
	case in.Version != s.current:
		return map[string]any{"cmd": "update", "version": s.current}, nil
	case s.sessions[in.Session] != botID:
		return map[string]any{"cmd": "bot_restart", "message": "the session is broken"}, nil
	case len(orders) > 0 && orders[0]["cmd"] != terminate:
		s.orders[botID] = orders[1:]
		return orders[0], nil
	case saw.quarantine != "":
		return map[string]any{"cmd": "sleep", "duration": idle.Seconds(), "session": in.Session}, nil
	}
	return map[string]any{"cmd": "rbe", "rbe": map[string]any{"instance": "rehearsal"}, "session": in.Session}, nil
}

// terminate is the order that ends a bot; it is a task, and so comes by lease.
const terminate = "terminate"

func (s *luciServer) createRBE(_ *http.Request, botID string, in botCall) (map[string]any, *callError) {
	s.locked(func() { s.bot(botID).sessions++ })
	return map[string]any{"session_id": "rbe " + in.Session}, nil
}

// updateRBE gives a bot the lease that there is for it, or lets it wait a while.
func (s *luciServer) updateRBE(r *http.Request, botID string, in botCall) (map[string]any, *callError) {
	for end := time.Now().Add(idle); ; {
		var task any
		s.locked(func() {
			s.bot(botID).rbeStatus = in.Status
			if orders := s.orders[botID]; len(orders) > 0 && orders[0]["cmd"] == terminate {
				task = orders[0]["task_id"]
			}
		})
		switch {
		case in.Status != "OK": // it takes nothing
			return map[string]any{"status": in.Status}, nil
		case task != nil:
			lease := map[string]any{"id": fmt.Sprint("lease of ", task), "state": "PENDING", "payload": map[string]any{"task_id": task}}
			return map[string]any{"status": "OK", "lease": lease}, nil
		case in.Nonblock || !time.Now().Before(end):
			return map[string]any{"status": "OK"}, nil
		}
		select {
		case <-time.After(idle / 10):
		case <-r.Context().Done():
			return badCall("gone")
		}
	}
}

// claim hands the task of a lease over.
func (s *luciServer) claim(_ *http.Request, botID string, in botCall) (map[string]any, *callError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	orders := s.orders[botID]
	if len(orders) == 0 || orders[0]["task_id"] != in.TaskID {
		return map[string]any{"cmd": "skip", "reason": "the task is gone"}, nil
	}
	s.orders[botID] = orders[1:]
	return orders[0], nil
}

func (s *luciServer) event(_ *http.Request, botID string, in botCall) (map[string]any, *callError) {
	s.locked(func() {
		saw := s.bot(botID)
		saw.events = append(saw.events, in.Event)
	})
	return map[string]any{"ok": true}, nil
}
