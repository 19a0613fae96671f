package buildlet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"gobuild/pkg/plain"
)

// The additions for coordinators. What they add is never reachable for those
// who work on the machine.
const (
	// AdditionClaim is POST /claim?instance=ID, which a coordinator sends
	// before it hands the machine out, and POST /release?instance=ID, which
	// kills what an instance has left behind and empties the work directory.
	// A coordinator that announces it claims.
	AdditionClaim = "claim"
	// AdditionAvailability is POST /availability, which asks for another
	// Availability, and its field in the status.
	AdditionAvailability = "availability"
)

// ForCoordinator reports whether a path, or what a server makes of it, is for
// coordinators alone, which must not pass it on.
func ForCoordinator(name string) bool {
	switch path.Clean("/" + name) {
	case "/claim", "/release", "/availability":
		return true
	}
	return false
}

// maxAvailability bounds the JSON of an Availability, in bytes.
const maxAvailability = 16 << 10

// Stray is a process that had outlived its instance.
type Stray struct {
	PID     int    `json:"pid"`
	Command string `json:"command"`         // its name, as the system shows it
	Lives   bool   `json:"lives,omitempty"` // it could not be killed
}

// Released is the answer to a release.
type Released struct {
	Strays []Stray `json:"strays"` // what was found
}

// Asked is the answer to a POST /availability.
type Asked struct {
	// Availability is what holds now.
	Availability Availability `json:"availability"`
	// Decides names who decides on what was asked for; empty: it is done.
	Decides string `json:"decides,omitempty"`
}

// RefusedClaim is the error of a claim that was refused: the machine takes no
// work.
type RefusedClaim struct{ Availability Availability }

// Error says why.
func (e *RefusedClaim) Error() string {
	text := "it takes no work: " + string(e.Availability.State)
	if e.Availability.Why != "" {
		text += ": " + e.Availability.Why
	}
	return text
}

// serveClaim notes which instance holds the machine, unless that takes no
// work.
func (s *Server) serveClaim(w http.ResponseWriter, r *http.Request) {
	id, ok := s.instanceOf(w, r)
	if !ok {
		return
	}
	s.consultGate()
	now := time.Now()
	d := &s.duty
	var refused *Availability
	abandoned := false
	d.change(func() {
		a := d.availability(now)
		switch {
		case r.Context().Err() != nil: // nobody would release it
			abandoned = true
		case d.ending != "":
			refused = &Availability{State: Draining, Since: now, Why: d.ending}
		case !a.Takes(now):
			refused = &a
		default:
			d.claims, d.instance = true, id
		}
	})
	if abandoned {
		s.log.Info("claim abandoned", "instance", id)
		return
	}
	if refused == nil {
		s.log.Info("claimed", "instance", id)
		return
	}
	s.log.Info("claim refused", "instance", id, "state", refused.State, "why", refused.Why)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusConflict)
	json.NewEncoder(w).Encode(refused)
}

// serveRelease kills what an instance has left behind, empties the work
// directory, and is free for the next.
func (s *Server) serveRelease(w http.ResponseWriter, r *http.Request) {
	id, ok := s.instanceOf(w, r)
	if !ok {
		return
	}
	d := &s.duty
	d.mu.Lock()
	other := d.instance
	d.mu.Unlock()
	if other != "" && other != id {
		http.Error(w, fmt.Sprintf("instance %s holds this machine, not %s", other, id), http.StatusConflict)
		return
	}
	found := s.cleanUp(id)
	if err := removeAll(s.root(), "."); err != nil {
		s.log.Warn("the work directory is not emptied", "instance", id, "err", err)
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	d.change(func() { d.instance = "" }) // before the answer: a claim may follow that
	s.log.Info("released", "instance", id)
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(Released{Strays: found})
}

// instanceOf returns the instance that a request is for; ok is false if it was
// answered.
func (s *Server) instanceOf(w http.ResponseWriter, r *http.Request) (id string, ok bool) {
	if r.Method != http.MethodPost {
		http.Error(w, "requires POST method", http.StatusBadRequest)
		return "", false
	}
	if id = plain.Line(r.URL.Query().Get("instance"), maxBy); id == "" {
		http.Error(w, "requires 'instance' parameter", http.StatusBadRequest)
		return "", false
	}
	return id, true
}

// serveAvailability asks for another Availability: of the supervisor, if there
// is one.
func (s *Server) serveAvailability(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		http.Error(w, "requires POST method", http.StatusBadRequest)
		return
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxAvailability))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	a, err := parseAvailability(text, time.Now())
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.log.Info("availability asked for", logged(a)...)
	answer := Asked{}
	if s.supervised.Load() {
		answer.Decides = "its supervisor"
		s.duty.change(func() { s.duty.wish, s.duty.wishTold = &a, false })
	} else if err := s.SetAvailability(a); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	answer.Availability = s.Availability()
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(answer)
}

// parseAvailability reads what somebody asks for.
func parseAvailability(text []byte, now time.Time) (Availability, error) {
	var a Availability
	if err := json.Unmarshal(text, &a); err != nil {
		return a, fmt.Errorf("the availability is not JSON: %w", err)
	}
	if a.State == "" {
		return a, errors.New("no state is given")
	}
	return checked(a, now)
}

// cleanUp kills the commands that run, and what has escaped from earlier ones,
// at the end of an instance.
func (s *Server) cleanUp(instance string) []Stray {
	s.killCommands()
	found := s.sweepStrays()
	if len(found) > 0 {
		s.log.Warn("processes have outlived their instance", "instance", instance, "strays", describeStrays(found))
		s.duty.change(func() { s.duty.strays += len(found) })
	}
	return found
}

// describeStrays lists processes in a line.
func describeStrays(list []Stray) string {
	var parts []string
	for i, st := range list {
		if i == 20 {
			parts = append(parts, fmt.Sprintf("and %d more", len(list)-i))
			break
		}
		text := fmt.Sprintf("%d (%s)", st.PID, st.Command)
		if st.Lives {
			text += ", which lives on"
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", ")
}

// Claim tells the buildlet, which has AdditionClaim, that an instance gets the
// machine. If the machine takes no work, the error is a *RefusedClaim.
func (c *Client) Claim(ctx context.Context, instance string) error {
	_, err := c.small(ctx, "POST", "/claim?"+url.Values{"instance": {instance}}.Encode())
	var se *StatusError
	if errors.As(err, &se) && se.Status == http.StatusConflict {
		var a Availability
		// A pause that is over by our clock need not be over by its own.
		if json.Unmarshal([]byte(se.Text), &a) == nil && a.State != "" && a.State != Open {
			return &RefusedClaim{clipped(a)}
		}
	}
	return err
}

// Release tells the buildlet, which has AdditionClaim, that an instance has
// ended, and returns when what that has left behind is dead and removed.
func (c *Client) Release(ctx context.Context, instance string) (Released, error) {
	resp, err := c.do(ctx, "POST", "/release?"+url.Values{"instance": {instance}}.Encode(), "", nil, settleWait)
	if err != nil {
		return Released{}, err
	}
	defer resp.Body.Close()
	var rel Released
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxListLine)).Decode(&rel); err != nil {
		return Released{}, fmt.Errorf("POST /release: %w", err)
	}
	for i := range rel.Strays {
		rel.Strays[i].Command = plain.Line(rel.Strays[i].Command, maxBy)
	}
	return rel, nil
}

// SetAvailability asks a buildlet, which has AdditionAvailability, for another
// Availability.
func (c *Client) SetAvailability(ctx context.Context, a Availability) (Asked, error) {
	text, err := json.Marshal(a)
	if err != nil {
		return Asked{}, err
	}
	resp, err := c.do(ctx, "POST", "/availability", "application/json", strings.NewReader(string(text)), headerWait)
	if err != nil {
		return Asked{}, err
	}
	defer resp.Body.Close()
	var answer Asked
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAvailability)).Decode(&answer); err != nil {
		return Asked{}, fmt.Errorf("POST /availability: %w", err)
	}
	answer.Availability, answer.Decides = clipped(answer.Availability), plain.Line(answer.Decides, maxBy)
	return answer, nil
}
