package api

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"gobuild/pkg/hint"
	"gobuild/pkg/netdial"
)

// Limits of a Client.
const (
	// answerWait bounds a call that is answered at once, retries included.
	answerWait = 60 * time.Second
	// streamWait is how long a stream of CreateEvents may be silent; the
	// coordinator writes a line at least every 5 s.
	streamWait = 60 * time.Second
	// destroyWait covers the emptying of a slow machine's work directory.
	destroyWait = 5 * time.Minute
	maxAnswer   = 16 << 20 // bytes of a JSON answer
	retries     = 3        // of what may be sent twice
)

// ClientOptions are what a Client needs.
type ClientOptions struct {
	// URL is the coordinator's base URL, https://HOST[:PORT].
	URL string
	// User and Key are a principal and its key; empty for the routes that
	// need none.
	User, Key string
	// Dialer opens the connections; nil means the system's roots.
	Dialer *netdial.Dialer
	// UserAgent is sent with each request.
	UserAgent string
	// OnRetry, if not nil, is told of each failure that is tried again.
	OnRetry func(err error)
}

// Client calls a coordinator's API. What may be sent twice is tried again on
// failures of the network and of a gateway; streams and creations are not.
// It is safe for use by several goroutines. Errors from the coordinator are
// *Error; others name the address and carry a hint.
type Client struct {
	opts   ClientOptions
	base   *url.URL
	plain  *http.Client          // sends once
	retry  *retryablehttp.Client // sends again
	closer func()
}

// NewClient returns a client without calling the coordinator. The error tells
// what is wrong with the URL.
func NewClient(opts ClientOptions) (*Client, error) {
	base, err := url.Parse(opts.URL)
	if err != nil || base.Host == "" || base.Scheme != "https" || strings.Trim(base.Path, "/") != "" {
		return nil, hint.With(fmt.Errorf("coordinator %q is not an address that can be called", opts.URL),
			"write it as https://HOST:PORT (--coordinator, GOBUILD_COORDINATOR, or coordinator in the config)")
	}
	base.Path = ""
	if opts.Dialer == nil {
		opts.Dialer = &netdial.Dialer{}
	}
	tr := &http.Transport{
		DialTLSContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
			return opts.Dialer.DialTLS(ctx, addr)
		},
		MaxIdleConnsPerHost: 8,
		IdleConnTimeout:     90 * time.Second,
		// A tar.gz is to arrive as it was sent.
		DisableCompression: true,
	}
	c := &Client{opts: opts, base: base, plain: &http.Client{Transport: tr}, closer: tr.CloseIdleConnections}
	c.retry = &retryablehttp.Client{
		HTTPClient:   c.plain,
		RetryMax:     retries,
		RetryWaitMin: 250 * time.Millisecond,
		RetryWaitMax: 2 * time.Second,
		Backoff:      retryablehttp.DefaultBackoff,
		CheckRetry:   c.worthRetry,
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
	return c, nil
}

// Close frees the idle connections.
func (c *Client) Close() { c.closer() }

// worthRetry says whether to send again: on a gateway's failure, and on those
// of the network that may pass.
func (c *Client) worthRetry(ctx context.Context, resp *http.Response, err error) (bool, error) {
	again, checkErr := retryablehttp.DefaultRetryPolicy(ctx, resp, err)
	if err != nil {
		var dns *net.DNSError
		var cert *tls.CertificateVerificationError
		lasting := errors.As(err, &cert) || errors.As(err, &dns) && dns.IsNotFound
		again = again && !lasting
	} else if resp != nil && resp.Header.Get("Content-Type") == "application/json" {
		again = false // the coordinator itself has spoken
	}
	if again && c.opts.OnRetry != nil {
		if err == nil {
			err = errors.New(resp.Status)
		}
		c.opts.OnRetry(err)
	}
	return again, checkErr
}

// URL returns the coordinator's base URL.
func (c *Client) URL() string { return c.base.String() }

// HTTP returns the client that sends once, for streams. It adds no key.
func (c *Client) HTTP() *http.Client { return c.plain }

// Version asks what the coordinator is.
func (c *Client) Version(ctx context.Context) (v Version, err error) {
	return v, c.get(ctx, RouteVersion, &v)
}

// Pool returns the reverse pool.
func (c *Client) Pool(ctx context.Context) (p Pool, err error) {
	return p, c.get(ctx, RouteHosts, &p)
}

// Whoami asks whether the key is good.
func (c *Client) Whoami(ctx context.Context) (w Whoami, err error) {
	return w, c.get(ctx, RouteWhoami, &w)
}

// BuilderTypes returns the builder types by name.
func (c *Client) BuilderTypes(ctx context.Context) (map[string]BuilderType, error) {
	var config struct{ Builders map[string]BuilderType }
	err := c.get(ctx, RouteTypes, &config)
	return config.Builders, err
}

// Instances returns the caller's instances, sorted by ID.
func (c *Client) Instances(ctx context.Context) (list []Instance, err error) {
	return list, c.get(ctx, RouteInstances, &list)
}

// Instance returns one instance. It does not count as use.
func (c *Client) Instance(ctx context.Context, id string) (inst Instance, err error) {
	return inst, c.get(ctx, InstancePath(id, ""), &inst)
}

// KeepAlive renews the life of an instance.
func (c *Client) KeepAlive(ctx context.Context, id string) (inst Instance, err error) {
	return inst, c.call(ctx, "POST", InstancePath(id, PathKeepAlive), answerWait, &inst)
}

// Destroy ends an instance: what runs there is killed, the work directory
// emptied, the machine given back to the pool. It returns when that is done.
func (c *Client) Destroy(ctx context.Context, id string) error {
	return c.call(ctx, "DELETE", InstancePath(id, ""), destroyWait, nil)
}

// BuildletURL returns the base URL of the buildlet protocol of an instance.
func (c *Client) BuildletURL(id string) string {
	return c.base.String() + InstancePath(id, PathBuildlet)
}

// Create asks for an instance and waits for it; progress, if not nil, is
// called with each event on the way. If ctx ends, the request is withdrawn.
func (c *Client) Create(ctx context.Context, r CreateRequest, progress func(CreateEvent)) (Instance, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return Instance{}, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silence := time.AfterFunc(streamWait, func() {
		cancel(fmt.Errorf("the coordinator said nothing for %s while an instance was being made", streamWait))
	})
	defer silence.Stop()
	req, err := http.NewRequestWithContext(ctx, "POST", c.URL()+RouteInstances, bytes.NewReader(body))
	if err != nil {
		return Instance{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	c.authorize(req)
	start := time.Now()
	resp, err := c.plain.Do(req)
	if err != nil {
		return Instance{}, c.failed(ctx, req, start, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return Instance{}, answerError(req, resp)
	}
	dec := json.NewDecoder(bufio.NewReader(resp.Body))
	for {
		var ev CreateEvent
		if err := dec.Decode(&ev); err != nil {
			if ctx.Err() != nil {
				err = context.Cause(ctx)
			}
			return Instance{}, fmt.Errorf("POST %s: the coordinator's answer broke off: %w", RouteInstances, err)
		}
		silence.Reset(streamWait)
		switch {
		case ev.Error != nil:
			return Instance{}, ev.Error
		case ev.Instance != nil:
			return *ev.Instance, nil
		case progress != nil:
			progress(ev)
		}
	}
}

func (c *Client) get(ctx context.Context, path string, out any) error {
	return c.call(ctx, "GET", path, answerWait, out)
}

// call sends what may be sent twice and decodes the answer into out.
func (c *Client) call(ctx context.Context, method, path string, wait time.Duration, out any) error {
	ctx, cancel := context.WithTimeoutCause(ctx, wait, fmt.Errorf("no answer from %s within %s", c.base.Host, wait))
	defer cancel()
	req, err := retryablehttp.NewRequestWithContext(ctx, method, c.URL()+path, nil)
	if err != nil {
		return err
	}
	c.authorize(req.Request)
	start := time.Now()
	resp, err := c.retry.Do(req)
	if err != nil {
		return c.failed(ctx, req.Request, start, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return answerError(req.Request, resp)
	}
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(out); err != nil {
		return fmt.Errorf("%s %s: the answer is not what a coordinator sends: %w", method, path, err)
	}
	return nil
}

func (c *Client) authorize(req *http.Request) {
	if c.opts.UserAgent != "" {
		req.Header.Set("User-Agent", c.opts.UserAgent)
	}
	if c.opts.Key != "" {
		req.SetBasicAuth(c.opts.User, c.opts.Key)
	}
}

// failed explains an error that came before an answer.
func (c *Client) failed(ctx context.Context, req *http.Request, start time.Time, err error) error {
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err
	}
	if ctx.Err() != nil && hint.Of(err) == "" {
		err = context.Cause(ctx)
	}
	err = fmt.Errorf("%s %s: %w", req.Method, req.URL.Path, err)
	if hint.Of(err) != "" {
		return err // the dialer has explained it
	}
	return netdial.Explain(err, c.base.Host, time.Since(start))
}

// answerError makes an error of an answer other than success.
func answerError(req *http.Request, resp *http.Response) error {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
	if err := ParseError(resp, body); err != nil {
		return err
	}
	return hint.With(fmt.Errorf("%s %s: %s: %s", req.Method, req.URL.Path, resp.Status, bytes.TrimSpace(body)),
		"is %s a gobuild coordinator?", req.URL.Host)
}
