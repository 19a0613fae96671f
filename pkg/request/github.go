package request

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/go-github/v92/github"
	"github.com/hashicorp/go-retryablehttp"

	"gobuild/pkg/hint"
	"gobuild/pkg/lazyre"
	"gobuild/pkg/netdial"
)

// Where requests for Go's own builders are filed.
const (
	DefaultAPI  = "https://api.github.com"
	DefaultRepo = "golang/go"
)

// Limits of the calls to GitHub.
const (
	answerWait = 60 * time.Second // for one answer, retries included
	headerWait = 30 * time.Second // for one answer's header
	retries    = 3                // of what only reads
)

// GitHubOptions are what a GitHub needs.
type GitHubOptions struct {
	// API is the base URL of the REST API: DefaultAPI, or
	// https://HOST/api/v3 for GitHub Enterprise. Because of the token it is
	// https, or http on this machine.
	API string
	// Repo is the repository, OWNER/NAME.
	Repo string
	// Token may be the zero Token for what only reads.
	Token Token
	// Dialer opens the TLS connections; nil means the system's roots.
	Dialer *netdial.Dialer
	// UserAgent is sent with each call.
	UserAgent string
	// OnWait, if not nil, is told why there is a pause, and how long it is.
	OnWait func(why string, pause time.Duration)
}

// GitHub reads and files requests in one repository. It is safe for use by
// several goroutines. Its errors say what was asked and what came back, and
// carry a hint.
type GitHub struct {
	opts        GitHubOptions
	api         *url.URL // ends in a slash
	owner, name string
	client      *github.Client
	closer      func()
	answerWait  time.Duration // answerWait, or a test's
	unit        time.Duration // of pauses: a second, or a test's
}

var repoRE = lazyre.New(`^[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+$`)

// NewGitHub returns a GitHub without calling it. The error says what is wrong
// with the address or the name of the repository.
func NewGitHub(opts GitHubOptions) (*GitHub, error) {
	api, err := parseAPI(opts.API)
	if err != nil {
		return nil, err
	}
	owner, name, _ := strings.Cut(opts.Repo, "/")
	if !repoRE.MatchString(opts.Repo) || strings.Trim(name, ".") == "" {
		return nil, hint.With(fmt.Errorf("%.80q is no repository", opts.Repo), "write it as OWNER/NAME, such as %s", DefaultRepo)
	}
	if opts.Dialer == nil {
		opts.Dialer = &netdial.Dialer{}
	}
	base := &http.Transport{
		DialContext: (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		DialTLSContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
			return opts.Dialer.DialTLS(ctx, addr)
		},
		ResponseHeaderTimeout: headerWait,
		IdleConnTimeout:       90 * time.Second,
	}
	// http.Client would keep its own Authorization from another host; the
	// transport's has to stay away from there, too.
	client, err := github.NewClient(
		github.WithHTTPClient(&http.Client{CheckRedirect: stayOn(api)}),
		github.WithTransport(newTransport(base, api, opts.Token)),
		github.WithUserAgent(opts.UserAgent),
		github.WithURLs(new(api.String()), nil),
		// What GitHub says counts, not what it said before.
		github.WithDisableRateLimitCheck(),
	)
	if err != nil {
		return nil, fmt.Errorf("GitHub at %s: %w", api, err)
	}
	return &GitHub{
		opts: opts, api: api, owner: owner, name: name,
		client: client, closer: base.CloseIdleConnections,
		answerWait: answerWait, unit: time.Second,
	}, nil
}

// parseAPI returns the API's base URL, ending in a slash.
func parseAPI(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	good := err == nil && u.Hostname() != "" && u.User == nil && u.RawQuery == "" && u.Fragment == ""
	switch {
	case !good || u.Scheme != "https" && u.Scheme != "http":
		return nil, hint.With(fmt.Errorf("--github-api %q is no address of an API", redactURL(text)),
			"the default is %s; for GitHub Enterprise write https://HOST/api/v3", DefaultAPI)
	case u.Scheme == "http" && !netdial.Loopback(u.Hostname()):
		return nil, hint.With(fmt.Errorf("--github-api %s would send the token in the clear", u), "write https://; http:// is for this machine only")
	}
	u.Path = strings.TrimRight(u.Path, "/") + "/"
	return u, nil
}

// redactURL returns text without what may be a password.
func redactURL(text string) string {
	if i := strings.LastIndex(text, "@"); i >= 0 {
		return "...@" + text[i+1:]
	}
	return text
}

// Close frees the idle connections.
func (g *GitHub) Close() { g.closer() }

// Repo returns the repository, OWNER/NAME.
func (g *GitHub) Repo() string { return g.owner + "/" + g.name }

// webURL returns the address of a page of the repository, for a browser.
func (g *GitHub) webURL(page string) string {
	u := url.URL{Scheme: g.api.Scheme, Host: webHost(g.api.Host)}
	return u.JoinPath(g.owner, g.name, page).String()
}

// webHost is the host of the pages that belong to an API: of GitHub's own and
// of the hosted Enterprise (api.NAME.ghe.com) it is another.
func webHost(api string) string {
	if host, ok := strings.CutPrefix(api, "api."); ok && (host == "github.com" || strings.HasSuffix(host, ".ghe.com")) {
		return host
	}
	return api
}

// stayOn lets redirects stay on the API's host, as those of a renamed
// repository do, and keep their method: a POST must not turn into a GET.
func stayOn(api *url.URL) func(*http.Request, []*http.Request) error {
	return func(req *http.Request, via []*http.Request) error {
		switch {
		case !sameHost(req.URL, api):
			return &strayError{from: api.Host, to: req.URL.Host}
		case req.Method != via[0].Method, len(via) > 5:
			return http.ErrUseLastResponse
		}
		return nil
	}
}

// strayError is a redirect that was not followed.
type strayError struct{ from, to string }

func (e *strayError) Error() string {
	return fmt.Sprintf("%s redirects to another host, %s", e.from, e.to)
}

func sameHost(a, b *url.URL) bool { return a.Scheme == b.Scheme && a.Host == b.Host }

// transport adds the token to calls of the API's host and to no others, and
// sends again what only reads.
type transport struct {
	once  http.RoundTripper
	again http.RoundTripper
	api   *url.URL
	token Token
}

func newTransport(base http.RoundTripper, api *url.URL, token Token) *transport {
	return &transport{once: base, api: api, token: token, again: &retryablehttp.RoundTripper{Client: &retryablehttp.Client{
		HTTPClient: &http.Client{
			Transport: base,
			// That is for the client above.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		RetryMax:     retries,
		RetryWaitMin: 250 * time.Millisecond,
		RetryWaitMax: 2 * time.Second,
		CheckRetry:   worthRetry,
		Backoff: func(least, most time.Duration, attempt int, _ *http.Response) time.Duration {
			return retryablehttp.DefaultBackoff(least, most, attempt, nil)
		},
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}}}
}

func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if t.token.secret != "" && sameHost(req.URL, t.api) {
		req = req.Clone(req.Context())
		req.Header.Set("Authorization", "Bearer "+t.token.secret)
	}
	if req.Method == http.MethodGet {
		return t.again.RoundTrip(req)
	}
	return t.once.RoundTrip(req)
}

// worthRetry says whether to read again: on failures of the network and of
// the server that may pass. A rate limit is not one of them: it takes long.
func worthRetry(ctx context.Context, resp *http.Response, err error) (bool, error) {
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if err != nil {
		return !netdial.Lasting(err), nil
	}
	return resp.StatusCode >= 500 && resp.StatusCode != http.StatusNotImplemented, nil
}

// wait pauses for some units, and tells why.
func (g *GitHub) wait(ctx context.Context, why string, units int) error {
	pause := time.Duration(units) * g.unit
	if g.opts.OnWait != nil {
		g.opts.OnWait(why, pause)
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(pause):
		return nil
	}
}
