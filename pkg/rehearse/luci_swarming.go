package rehearse

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

const (
	// botAPI is where Swarming speaks with bots (section 10.1).
	botAPI = "/swarming/api/v1/bot/"
	// maxCall bounds the body of a call, in bytes.
	maxCall = 1 << 20
	// serverVersion is what the server says of itself.
	serverVersion = "gobuild-rehearsal"
	// idle is for how long a bot with nothing to do is sent to sleep, in
	// seconds: the rehearsal has no scheduler in which it could wait.
	idle = 0.2
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
}

// callError is a refusal of a call: an HTTP status, and gRPC's name for it.
type callError struct {
	status     int
	name, text string
}

// call reads a bot's call and writes the answer of do.
func (s *luciServer) call(do func(r *http.Request, botID string, in botCall) (map[string]any, *callError)) http.HandlerFunc {
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

func (s *luciServer) answer(w http.ResponseWriter, r *http.Request, do func(*http.Request, string, botCall) (map[string]any, *callError)) (map[string]any, *callError) {
	bad := func(format string, args ...any) (map[string]any, *callError) {
		return nil, &callError{http.StatusBadRequest, "InvalidArgument", fmt.Sprintf(format, args...)}
	}
	if got := r.Header.Get("Content-Type"); !strings.EqualFold(got, "application/json; charset=utf-8") {
		return bad("bad content type %q", got)
	}
	var in botCall
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxCall)).Decode(&in); err != nil {
		return bad("bad request: %s", err)
	}
	botID := botIDOf(r)
	if ids := in.Dimensions["id"]; len(ids) != 1 || ids[0] != botID {
		return bad("the dimension id is %q, and the bot %q", ids, botID)
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
	case len(orders) > 0:
		s.orders[botID] = orders[1:]
		return orders[0], nil
	}
	return map[string]any{"cmd": "sleep", "duration": idle, "session": in.Session}, nil
}

func (s *luciServer) event(_ *http.Request, botID string, in botCall) (map[string]any, *callError) {
	s.locked(func() {
		saw := s.bot(botID)
		saw.events = append(saw.events, in.Event)
	})
	return map[string]any{"ok": true}, nil
}
