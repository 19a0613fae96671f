package api

import (
	"bytes"
	"context"
	"crypto"
	"encoding/json"
	"fmt"
	"net/url"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

// MaxNewRequest bounds a NewRequest as JSON, in bytes.
const MaxNewRequest = 64 << 10

// NewRequest asks a farm to take in a new machine. Control characters are
// refused in all of it, newlines and tabs of PEM and Report apart.
type NewRequest struct {
	Hostname string `json:"hostname"`           // GOOS-GOARCH-HANDLE
	Port     string `json:"port"`               // GOOS-GOARCH, as the host name begins
	HostType string `json:"hostType,omitempty"` // that the owner would like; the maintainer decides
	Contact  string `json:"contact,omitempty"`  // where to write to the owner; at most 200 characters
	CSR      string `json:"csr"`                // PEM; CN = HOSTNAME.bots.golang.org
	Report   string `json:"report,omitempty"`   // readiness report, plain text; at most 32 KiB
}

// RequestState is how far a Request has come.
type RequestState string

// The states of a Request.
const (
	RequestPending   RequestState = "pending"   // nobody has decided yet
	RequestApproved  RequestState = "approved"  // the owner can get what was granted
	RequestRejected  RequestState = "rejected"  // Reason says why
	RequestConnected RequestState = "connected" // approved, and the machine has been in the pool
)

// Whose turn it is.
const (
	TurnMaintainer = "maintainer" // to decide
	TurnOwner      = "owner"      // to install key and certificate and to start the worker
	TurnNobody     = "nobody"     // nothing is left to do
)

// Request is a NewRequest and what became of it.
type Request struct {
	ID       string `json:"id"` // HOSTNAME.N
	Hostname string `json:"hostname"`
	Port     string `json:"port"`
	// HostType is the one that the owner would like and, once approved, the
	// one that was granted; empty: none.
	HostType string       `json:"hostType,omitempty"`
	Contact  string       `json:"contact,omitempty"`
	CSR      string       `json:"csr,omitempty"`    // PEM; not in lists
	Report   string       `json:"report,omitempty"` // not in lists
	State    RequestState `json:"state"`
	Turn     string       `json:"turn"` // TurnMaintainer, TurnOwner or TurnNobody
	Created  time.Time    `json:"created"`
	Changed  time.Time    `json:"changed"` // when it was decided, or added to

	DecidedBy   string `json:"decidedBy,omitempty"`   // the maintainer's principal
	Reason      string `json:"reason,omitempty"`      // why it was rejected
	Note        string `json:"note,omitempty"`        // the maintainer's word on the approval
	Certificate string `json:"certificate,omitempty"` // PEM; not in lists

	Collected time.Time `json:"collected,omitzero"` // when the owner first collected what was granted
	Connected time.Time `json:"connected,omitzero"` // when the machine was first in the pool
	// BuilderKey is the key of HostType, a secret. Only the proven owner of
	// an approved request gets it, when he collects it.
	BuilderKey string `json:"builderKey,omitempty"`
}

// Approval is a maintainer's yes. At least one field has to be there. An
// approved request can be approved again, to add what was missing.
type Approval struct {
	HostType    string `json:"hostType,omitempty"`    // whose builder key the owner gets
	Certificate string `json:"certificate,omitempty"` // PEM; for the CSR's key
	Note        string `json:"note,omitempty"`        // to the owner; at most 1000 characters
}

// Rejection is a maintainer's no.
type Rejection struct {
	Reason string `json:"reason"` // owed to the owner; at most 1000 characters
	// Revoke rejects an approved request too, which frees its host name. It
	// takes back neither key nor certificate: those know no revocation.
	Revoke bool `json:"revoke,omitempty"`
}

// RequestPath returns the path of a request's route followed by suffix.
func RequestPath(id, suffix string) string {
	return RouteRequest + url.PathEscape(id) + suffix
}

// FileRequest asks to take in a new machine. key is the CSR's private key; it
// signs a proof that the request comes from its holder. A request that is
// there already for the same host name and key is returned as it is, so that
// filing twice does no harm.
func (c *Client) FileRequest(ctx context.Context, r NewRequest, key crypto.Signer) (req Request, err error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false) // it would make six bytes of each "<" of a report
	if err := enc.Encode(r); err != nil {
		return req, err
	}
	body := buf.Bytes()
	if len(body) > MaxNewRequest {
		return req, Errorf(CodeTooLarge, "the request is %d bytes long: at most %d are taken", len(body), MaxNewRequest).
			WithHint("shorten the report")
	}
	return req, c.send(ctx, "POST", RouteRequests, body, key, &req)
}

// Request returns a request. Its owner proves by the CSR's private key who he
// is; with a nil key the client's user asks, who has to be a maintainer.
func (c *Client) Request(ctx context.Context, id string, key crypto.Signer) (req Request, err error) {
	return req, c.onRequest(ctx, "GET", id, "", nil, key, &req)
}

// Collect returns a request with what was granted, the builder key too, and
// lets the maintainer see that its owner has it. key is the CSR's private key.
func (c *Client) Collect(ctx context.Context, id string, key crypto.Signer) (req Request, err error) {
	return req, c.onRequest(ctx, "POST", id, PathCollect, nil, key, &req)
}

// Requests returns, to a maintainer, the requests on which somebody has to
// act, or all; the oldest first, without CSR, report and certificate.
func (c *Client) Requests(ctx context.Context, all bool) (list []Request, err error) {
	path := RouteRequests
	if all {
		path += "?all=1"
	}
	return list, c.get(ctx, path, &list)
}

// Approve approves a request as a maintainer.
func (c *Client) Approve(ctx context.Context, id string, a Approval) (req Request, err error) {
	return req, c.onRequest(ctx, "POST", id, PathApprove, a, nil, &req)
}

// Reject rejects a request as a maintainer.
func (c *Client) Reject(ctx context.Context, id string, r Rejection) (req Request, err error) {
	return req, c.onRequest(ctx, "POST", id, PathReject, r, nil, &req)
}

// onRequest calls the route of a request that ends in suffix, with in as JSON
// unless it is nil. No request has a name that a server would take for
// another route.
func (c *Client) onRequest(ctx context.Context, method, id, suffix string, in any, key crypto.Signer, out any) error {
	if id == "" || id == "." || id == ".." {
		return NoRequest(id)
	}
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	return c.send(ctx, method, RequestPath(id, suffix), body, key, out)
}

// NoRequest returns the error for an ID of which nothing is known.
func NoRequest(id string) *Error {
	return Errorf(CodeNotFound, "there is no request %.100q", id).
		WithHint("an ID is a host name and a number, as linux-riscv64-joe.1; gobuild request prints it, gobuild requests list shows all to a maintainer")
}

// send is call for what has a body or a proof: a proof takes the place of the
// user's key. All of it may be sent twice.
func (c *Client) send(ctx context.Context, method, path string, body []byte, key crypto.Signer, out any) error {
	ctx, cancel := context.WithTimeoutCause(ctx, answerWait, fmt.Errorf("no answer from %s within %s", c.base.Host, answerWait))
	defer cancel()
	var content any
	if body != nil {
		content = body
	}
	req, err := retryablehttp.NewRequestWithContext(ctx, method, c.URL()+path, content)
	if err != nil {
		return err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	c.authorize(req.Request)
	if key != nil {
		if err := Prove(req.Request, body, key, time.Now()); err != nil {
			return err
		}
	}
	return c.exchange(ctx, req, out)
}
