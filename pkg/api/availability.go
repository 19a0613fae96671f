package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/url"

	"github.com/hashicorp/go-retryablehttp"

	"gobuild/pkg/availability"
)

// Availability is whether a machine takes work.
type Availability = availability.Availability

// The states of an Availability.
const (
	Open        = availability.Open
	Draining    = availability.Draining
	Paused      = availability.Paused
	Quarantined = availability.Quarantined
)

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
