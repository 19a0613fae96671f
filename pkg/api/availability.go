package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

// Availability is whether a machine takes work, and if not, why and for how
// long.
type Availability struct {
	State AvailabilityState `json:"state"`
	Until time.Time         `json:"until,omitzero"` // end of a pause; zero: an order ends it
	Since time.Time         `json:"since,omitzero"`
	By    string            `json:"by,omitempty"`  // who wanted it: "its owner", or a principal; empty: it came about by itself
	Why   string            `json:"why,omitempty"` // in words
}

// AvailabilityState is the state of an Availability.
type AvailabilityState string

// The states of an Availability.
const (
	Open        AvailabilityState = "open"        // takes work
	Draining    AvailabilityState = "draining"    // takes none more and ends after what it has
	Paused      AvailabilityState = "paused"      // takes none until a time or an order
	Quarantined AvailabilityState = "quarantined" // something is wrong with the machine
)

// Takes reports whether work is taken at the given time.
func (a Availability) Takes(now time.Time) bool {
	switch a.State {
	case "", Open:
		return true
	case Paused:
		return !a.Until.IsZero() && !now.Before(a.Until)
	}
	return false
}

// String says a in words, as "paused until 2026-07-01 18:00 UTC by its owner:
// holidays".
func (a Availability) String() string {
	text := string(a.State)
	if text == "" {
		text = string(Open)
	}
	if !a.Until.IsZero() {
		text += " until " + a.Until.UTC().Format("2006-01-02 15:04 MST")
	}
	if a.By != "" {
		text += " by " + a.By
	}
	if a.Why != "" {
		text += ": " + a.Why
	}
	return text
}

// HostPath returns the path of a machine's route followed by suffix.
func HostPath(hostname, suffix string) string {
	return RouteHost + url.PathEscape(hostname) + suffix
}

// SetAvailability asks for another Availability of the machine hostname: as
// its owner, with a client whose User is the host type and whose Key is the
// builder key, or as a maintainer. Since and By are the coordinator's to set.
// A machine of gobuild's is told; for another the coordinator keeps it.
func (c *Client) SetAvailability(ctx context.Context, hostname string, a Availability) error {
	if hostname == "" || hostname == "." || hostname == ".." {
		return Errorf(CodeNotFound, "there is no machine %q", hostname).WithHint("gobuild status shows all")
	}
	body, err := json.Marshal(a)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, answerWait, fmt.Errorf("no answer from %s within %s", c.base.Host, answerWait))
	defer cancel()
	req, err := retryablehttp.NewRequestWithContext(ctx, "POST", c.URL()+HostPath(hostname, PathAvailability), bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	c.authorize(req.Request)
	return c.exchange(ctx, req, nil)
}
