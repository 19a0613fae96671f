package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
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
	// OnRetry, if not nil, is told of each failure that may pass, after which
	// the request is sent again unless it was the last attempt.
	OnRetry func(err error)
}

// Client calls a coordinator's API. What may be sent twice is tried again on
// failures of the network and of a gateway; streams and creations are not.
// It is safe for use by several goroutines. Errors from the coordinator are
// *Error; others name the address and carry a hint.
type Client struct {
	opts       ClientOptions
	base       *url.URL
	plain      *http.Client          // sends once
	retry      *retryablehttp.Client // sends again
	streamWait time.Duration         // streamWait, or a test's
	closer     func()
}

// NewClient returns a client without calling the coordinator. The error tells
// what is wrong with the URL.
func NewClient(opts ClientOptions) (*Client, error) {
	base, err := url.Parse(opts.URL)
	if err != nil || base.Host == "" || base.Scheme != "https" || base.User != nil || strings.Trim(base.Path, "/") != "" {
		shown := opts.URL
		if i := strings.LastIndex(shown, "@"); i >= 0 {
			shown = "...@" + shown[i+1:] // what stands before may be a password
		}
		return nil, hint.With(fmt.Errorf("coordinator %q is not an address that can be called", shown),
			"write it as https://HOST:PORT (--coordinator, GOBUILD_COORDINATOR, or coordinator in the config)")
	}
	base = &url.URL{Scheme: base.Scheme, Host: base.Host}
	if opts.Dialer == nil {
		opts.Dialer = &netdial.Dialer{}
	}
	tr := &http.Transport{
		DialTLSContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
			conn, err := opts.Dialer.DialTLS(ctx, addr)
			if err != nil {
				return nil, &dialError{err}
			}
			return conn, nil
		},
		MaxIdleConnsPerHost: 8,
		IdleConnTimeout:     90 * time.Second,
		// A tar.gz is to arrive as it was sent.
		DisableCompression: true,
	}
	c := &Client{opts: opts, base: base, streamWait: streamWait, closer: tr.CloseIdleConnections}
	c.plain = &http.Client{
		Transport: tr,
		// A coordinator does not redirect; whoever does is not to get the key.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
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
		again = again && !netdial.Lasting(err)
	} else if resp != nil && isJSON(resp) {
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
	return inst, c.onInstance(ctx, "GET", id, "", answerWait, &inst)
}

// KeepAlive renews the life of an instance.
func (c *Client) KeepAlive(ctx context.Context, id string) (inst Instance, err error) {
	return inst, c.onInstance(ctx, "POST", id, PathKeepAlive, answerWait, &inst)
}

// Destroy ends an instance: what runs there is killed, the work directory
// emptied, the machine given back to the pool. It returns when that is done.
func (c *Client) Destroy(ctx context.Context, id string) error {
	return c.onInstance(ctx, "DELETE", id, "", destroyWait, nil)
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
	silence := time.AfterFunc(c.streamWait, func() {
		cancel(fmt.Errorf("the coordinator said nothing for %s while an instance was being made", c.streamWait))
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
			return Instance{}, c.unreadable(ctx, req, err)
		}
		silence.Reset(c.streamWait)
		switch {
		case ev.Error != nil && ctx.Err() != nil:
			// The coordinator's word on our own going away.
			return Instance{}, c.unreadable(ctx, req, ev.Error)
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

// onInstance calls the route of an instance that ends in suffix. No instance
// has a name that a server would take for another route.
func (c *Client) onInstance(ctx context.Context, method, id, suffix string, wait time.Duration, out any) error {
	if id == "" || id == "." || id == ".." {
		return Errorf(CodeNotFound, "there is no instance %q", id).WithHint("gobuild gomote list shows yours")
	}
	return c.call(ctx, method, InstancePath(id, suffix), wait, out)
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
	return c.exchange(ctx, req, out)
}

// exchange sends req, again if need be, and decodes the answer into out.
func (c *Client) exchange(ctx context.Context, req *retryablehttp.Request, out any) error {
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
	body := &io.LimitedReader{R: resp.Body, N: maxAnswer}
	err = json.NewDecoder(body).Decode(out)
	switch {
	case err == nil:
		io.CopyN(io.Discard, body, 1<<10) // to the end: then the connection is kept
	case body.N == 0:
		err = fmt.Errorf("it is longer than %d bytes", maxAnswer)
	}
	return c.unreadable(ctx, req.Request, err)
}

// unreadable explains an error that came of reading an answer; nil stays nil.
func (c *Client) unreadable(ctx context.Context, req *http.Request, err error) error {
	var syntax *json.SyntaxError
	var ne net.Error
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%s %s: %w", req.Method, req.URL.Path, context.Cause(ctx))
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &ne) && !errors.As(err, &syntax):
		return hint.With(fmt.Errorf("%s %s: the answer broke off: %w", req.Method, req.URL.Path, err),
			"%s, or a proxy before it, may have been restarted: try again", c.base.Host)
	}
	return hint.With(fmt.Errorf("%s %s: the answer is not what a coordinator sends: %w", req.Method, req.URL.Path, err),
		"is %s a gobuild coordinator?", c.base.Host)
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
	var dial *dialError
	if errors.As(err, &dial) {
		return fmt.Errorf("%s %s: %w", req.Method, req.URL.Path, err)
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	took := time.Since(start)
	advice := hint.Of(netdial.Explain(err, c.base.Host, took))
	err = fmt.Errorf("%s %s: %s: %w (after %s)", req.Method, req.URL.Path, c.base.Host, err, max(took.Round(time.Millisecond), time.Millisecond))
	if advice == "" {
		return err
	}
	return hint.With(err, "%s", advice)
}

// dialError is an error of the dialer, which says what was dialled and how
// long that took.
type dialError struct{ error }

func (e *dialError) Unwrap() error { return e.error }

// answerError makes an error of an answer other than success.
func answerError(req *http.Request, resp *http.Response) error {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
	if err := ParseError(resp, body); err != nil {
		return err
	}
	text := resp.Status
	if to := resp.Header.Get("Location"); to != "" {
		text += " to " + to
	}
	// A page is for a browser; of anything else the first line will do.
	line, _, _ := strings.Cut(strings.TrimSpace(string(body)), "\n")
	if line != "" && !strings.HasPrefix(line, "<") {
		text += fmt.Sprintf(": %.200s", strings.TrimSpace(line))
	}
	return hint.With(fmt.Errorf("%s %s: %s", req.Method, req.URL.Path, text),
		"is %s a gobuild coordinator?", req.URL.Host)
}

// isJSON reports whether an answer says that it is JSON.
func isJSON(resp *http.Response) bool {
	kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	return err == nil && kind == "application/json"
}
