package request

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gobuild/pkg/hint"
	"gobuild/pkg/netdial"
	"gobuild/pkg/request/githubtest"
)

var testToken = Token{secret: githubtest.Token, from: "$GITHUB_TOKEN"}

// serve starts handler with TLS, and returns a client of it.
func serve(t *testing.T, handler http.Handler, token Token) (*GitHub, *httptest.Server) {
	t.Helper()
	srv := httptest.NewUnstartedServer(handler)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	g, err := NewGitHub(GitHubOptions{
		API: srv.URL + "/api/v3", Repo: "golang/go", Token: token,
		Dialer: &netdial.Dialer{Roots: roots, Proxy: func(*http.Request) (*url.URL, error) { return nil, nil }},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	g.unit = time.Millisecond
	return g, srv
}

func server() *githubtest.Server { return &githubtest.Server{Repo: "golang/go", Prefix: "/api/v3"} }

func TestNewGitHubRefuses(t *testing.T) {
	for _, tt := range []struct{ api, repo, text string }{
		{"", DefaultRepo, "no address"},
		{"api.github.com", DefaultRepo, "no address"},
		{"ftp://api.github.com", DefaultRepo, "no address"},
		{"http://api.github.com", DefaultRepo, "in the clear"},
		{"https://api.github.com?x=1", DefaultRepo, "no address"},
		{"https://joe:sesame@api.github.com", DefaultRepo, "no address"},
		{DefaultAPI, "", "no repository"},
		{DefaultAPI, "golang", "no repository"},
		{DefaultAPI, "golang/go/issues", "no repository"},
		{DefaultAPI, "golang/..", "no repository"},
		{DefaultAPI, "golang/a b", "no repository"},
	} {
		_, err := NewGitHub(GitHubOptions{API: tt.api, Repo: tt.repo})
		if err == nil || !strings.Contains(err.Error(), tt.text) || hint.Of(err) == "" || strings.Contains(err.Error(), "sesame") {
			t.Errorf("%q, %q: error %v, hint %q; want %q", tt.api, tt.repo, err, hint.Of(err), tt.text)
		}
	}
	for _, api := range []string{DefaultAPI, "https://git.example/api/v3/", "http://localhost:1", "http://127.0.0.1:1/", "http://[::1]:1"} {
		if _, err := NewGitHub(GitHubOptions{API: api, Repo: DefaultRepo}); err != nil {
			t.Errorf("%s: %v", api, err)
		}
	}
}

func TestWebURL(t *testing.T) {
	for api, want := range map[string]string{
		DefaultAPI:                   "https://github.com/golang/go/issues",
		"https://api.joe.ghe.com":    "https://joe.ghe.com/golang/go/issues",
		"https://git.example/api/v3": "https://git.example/golang/go/issues",
		"http://127.0.0.1:80":        "http://127.0.0.1:80/golang/go/issues",
	} {
		g, err := NewGitHub(GitHubOptions{API: api, Repo: DefaultRepo})
		if err != nil {
			t.Fatal(err)
		}
		if got := g.webURL("issues"); got != want {
			t.Errorf("%s: %s, want %s", api, got, want)
		}
	}
}

// The answers of GitHub where something is wrong, and what an owner is told.
var troubles = []struct {
	name       string
	status     int
	header     map[string]string
	message    string
	docs       string
	errors     []map[string]string
	text, hint string
}{
	{name: "bad token", status: 401, message: "Bad credentials", docs: "https://docs.github.com/rest",
		text: "401: Bad credentials", hint: "the token of $GITHUB_TOKEN is wrong, has expired or was revoked"},
	{name: "fine-grained token", status: 403, message: "Resource not accessible by personal access token", docs: "https://docs.github.com/rest/issues/issues#create-an-issue",
		text: "403: Resource not accessible by personal access token", hint: "a fine-grained token reaches only its owner's repositories"},
	{name: "app", status: 403, message: "Resource not accessible by integration", docs: "https://docs.github.com/rest/issues/issues#create-an-issue",
		text: "Resource not accessible by integration", hint: "may not file issues in golang/go"},
	{name: "SSO", status: 403, header: map[string]string{"X-GitHub-SSO": "required; url=https://HOST/orgs/golang/sso?authorization_request=A1"},
		message: "Resource protected by organization SAML enforcement. You must grant your Personal Access token access to this organization.",
		docs:    "https://docs.github.com/articles/authenticating-to-a-github-organization-with-saml-single-sign-on/",
		text:    "SAML enforcement", hint: "open https://HOST/orgs/golang/sso?authorization_request=A1"},
	{name: "SSO elsewhere", status: 403, header: map[string]string{"X-GitHub-SSO": "required; url=https://evil.example/sso"}, message: "Resource protected by organization SAML enforcement.",
		text: "SAML enforcement", hint: "Configure SSO"},
	{name: "no such label", status: 403, message: "You do not have permission to create labels on this repository.", docs: "https://docs.github.com/v3/issues/labels/",
		errors: []map[string]string{{"resource": "Repository", "field": "label", "code": "unauthorized"}},
		text:   "label unauthorized", hint: "golang/go has no label new-builder"},
	{name: "archived", status: 403, message: "Repository was archived so is read-only.", docs: "https://docs.github.com/rest/issues/issues#create-an-issue",
		text: "403: Repository was archived", hint: "golang/go is archived"},
	{name: "blocked", status: 403, message: "Blocked", docs: "https://docs.github.com/rest", text: "403: Blocked", hint: "have blocked this account"},
	{name: "forbidden", status: 403, message: "Must have admin rights to Repository.", text: "403: Must have", hint: "--web"},
	{name: "primary limit", status: 403, header: map[string]string{"X-RateLimit-Limit": "5000", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "IN 40m"},
		message: "API rate limit exceeded for user ID 1.", docs: "https://docs.github.com/rest/overview/rate-limits-for-the-rest-api",
		text: "403: API rate limit exceeded", hint: "GitHub's limit of 5000 calls is used up: try again in 40m"},
	{name: "secondary limit", status: 403, header: map[string]string{"Retry-After": "600", "X-RateLimit-Remaining": "4990"},
		message: "You have exceeded a secondary rate limit and have been temporarily blocked from content creation. Please retry your request again later.",
		docs:    "https://docs.github.com/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits",
		text:    "secondary rate limit", hint: "GitHub's limit on how fast content is made is used up: try again in 10m0s, after "},
	{name: "secondary limit without a time", status: 403, header: map[string]string{"X-RateLimit-Remaining": "4990"},
		message: "You have exceeded a secondary rate limit.", docs: "https://docs.github.com/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits",
		text: "secondary rate limit", hint: "slow down"},
	{name: "429", status: 429, message: "Too Many Requests", text: "429: Too Many", hint: "slow down"},
	{name: "no repository", status: 404, message: "Not Found", docs: "https://docs.github.com/rest/issues/issues#create-an-issue",
		text: "404: Not Found", hint: "a repository golang/go? If so, the token of $GITHUB_TOKEN does not see it"},
	{name: "token without scope", status: 404, header: map[string]string{"X-OAuth-Scopes": "gist, read:org"}, message: "Not Found",
		text: "404: Not Found", hint: "lacks the scope public_repo; it has: gist, read:org"},
	{name: "token without any scope", status: 404, header: map[string]string{"X-OAuth-Scopes": ""}, message: "Not Found",
		text: "404: Not Found", hint: "lacks the scope public_repo; it has: none"},
	{name: "issues off", status: 410, message: "Issues has been disabled in this repository.", docs: "https://docs.github.com/v3/issues/",
		text: "410: Issues has been disabled", hint: "golang/go takes no issues"},
	{name: "bad field", status: 422, message: "Validation Failed", errors: []map[string]string{{"resource": "Issue", "field": "title", "code": "missing_field"}},
		text: "422: Validation Failed; title missing_field", hint: "--web"},
	{name: "too long", status: 422, message: "Validation Failed", errors: []map[string]string{{"resource": "Issue", "code": "custom", "field": "body", "message": "body is too long (maximum is 65536 characters)"}},
		text: "body is too long", hint: "--no-report"},
	{name: "bad label", status: 422, message: "Validation Failed", errors: []map[string]string{{"value": "new-builder", "resource": "Label", "field": "name", "code": "invalid", "message": "label is invalid"}},
		text: "label is invalid", hint: "the label new-builder?"},
	{name: "spam", status: 422, message: "Validation Failed", errors: []map[string]string{{"resource": "Issue", "code": "custom", "message": "was submitted too quickly"}},
		text: "was submitted too quickly", hint: "wait some minutes"},
	{name: "moved", status: 301, message: "Moved Permanently", text: "301", hint: "has moved"},
	{name: "teapot", status: 418, message: "I'm a teapot", text: "418: I'm a teapot", hint: ""},
}

// TestTroubles files into each kind of trouble: it is explained, and the POST
// was sent once.
func TestTroubles(t *testing.T) {
	for _, tt := range troubles {
		t.Run(tt.name, func(t *testing.T) {
			s := server()
			s.Trouble = func(w http.ResponseWriter, r *http.Request) bool {
				for name, value := range tt.header {
					value = strings.ReplaceAll(value, "HOST", r.Host)
					if value == "IN 40m" {
						value = fmt.Sprint(time.Now().Add(40 * time.Minute).Unix())
					}
					w.Header().Set(name, value)
				}
				extra := []any{}
				if tt.errors != nil {
					extra = []any{"errors", tt.errors}
				}
				githubtest.Error(w, tt.status, tt.message, tt.docs, extra...)
				return true
			}
			g, srv := serve(t, s, testToken)
			_, err := g.File(t.Context(), mustDraft(t))
			want := strings.ReplaceAll(tt.hint, "HOST", strings.TrimPrefix(srv.URL, "https://"))
			if err == nil || !strings.Contains(err.Error(), "file the request in golang/go: GitHub answers "+fmt.Sprint(tt.status)) || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("error %v, want %q", err, tt.text)
			}
			if h := hint.Of(err); !strings.Contains(h, want) || strings.Contains(h, "evil") {
				t.Errorf("hint %q, want %q", h, want)
			}
			if strings.Contains(fmt.Sprint(err, hint.Of(err)), githubtest.Token) {
				t.Error("the token is shown")
			}
			if posts := s.Calls("POST"); len(posts) != 1 {
				t.Errorf("%d POSTs, want 1", len(posts))
			}
			if gets := s.Calls("GET"); len(gets) != 0 {
				t.Errorf("%d GETs after a clear refusal", len(gets))
			}
		})
	}
}

// Where there is no token, the advice is not about one.
func TestTroublesWithoutToken(t *testing.T) {
	s := server()
	s.Trouble = func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("X-RateLimit-Limit", "60")
		w.Header().Set("X-RateLimit-Remaining", "0")
		w.Header().Set("X-RateLimit-Reset", fmt.Sprint(time.Now().Add(time.Minute).Unix()))
		githubtest.Error(w, 403, "API rate limit exceeded for 192.0.2.1.", "")
		return true
	}
	g, _ := serve(t, s, Token{})
	_, err := g.Find(t.Context(), "linux-riscv64")
	if h := hint.Of(err); !strings.Contains(h, "limit of 60 calls") || !strings.Contains(h, "with a token") {
		t.Errorf("error %v, hint %q", err, h)
	}
	s.Trouble = nil
	if _, err := g.Status(t.Context(), 99); !strings.Contains(hint.Of(err), "shows itself only to a token") {
		t.Errorf("error %v, hint %q", err, hint.Of(err))
	}
}

// Reading is tried again; what lasts is not.
func TestReadsAreRetried(t *testing.T) {
	s := server()
	s.Add(githubtest.Issue{Title: "x/build: add linux-riscv64 builder", Labels: []githubtest.Label{{Name: Label}}})
	s.Trouble = func(w http.ResponseWriter, r *http.Request) bool {
		if len(s.Calls("GET")) > 2 {
			return false
		}
		githubtest.Error(w, 502, "Server Error", "")
		return true
	}
	g, _ := serve(t, s, testToken)
	if list, err := g.Find(t.Context(), "linux-riscv64"); err != nil || len(list) != 1 {
		t.Errorf("%v, %v", list, err)
	}
	if n := len(s.Calls("GET")); n != 4 { // two failures, list, search
		t.Errorf("%d GETs", n)
	}
	s.Trouble = func(w http.ResponseWriter, r *http.Request) bool {
		http.Error(w, "<html>Unicorn!</html>", http.StatusBadGateway)
		return true
	}
	_, err := g.Find(t.Context(), "linux-riscv64")
	if err == nil || !strings.Contains(err.Error(), "GitHub answers 502: (no reason given)") || !strings.Contains(hint.Of(err), "githubstatus") {
		t.Errorf("error %v, hint %q", err, hint.Of(err))
	}
}

// What is not GitHub at all is named for it.
func TestNotGitHub(t *testing.T) {
	g, srv := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "<html>Log in to the hotel</html>") }), testToken)
	_, err := g.Find(t.Context(), "linux-riscv64")
	if err == nil || !strings.Contains(err.Error(), "not as expected") || !strings.Contains(hint.Of(err), srv.URL) {
		t.Errorf("error %v, hint %q", err, hint.Of(err))
	}
}

// Network errors name the host and carry the dialer's hint.
func TestNetworkErrors(t *testing.T) {
	g, srv := serve(t, server(), testToken)
	g.answerWait = 5 * time.Second
	srv.Close()
	_, err := g.Status(t.Context(), 1)
	if err == nil || !strings.Contains(err.Error(), "read golang/go#1: ") || !strings.Contains(hint.Of(err), "nothing listens") {
		t.Errorf("error %v, hint %q", err, hint.Of(err))
	}
	_, srv = serve(t, server(), Token{})
	if g, err = NewGitHub(GitHubOptions{API: srv.URL, Repo: DefaultRepo, Token: testToken}); err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if _, err = g.Status(t.Context(), 1); !strings.Contains(hint.Of(err), "--ca-file") {
		t.Errorf("error %v, hint %q", err, hint.Of(err))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err = g.Status(ctx, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// What a server sends back of what it got is shown without the token.
func TestTokenSentBack(t *testing.T) {
	s := server()
	s.Trouble = func(w http.ResponseWriter, r *http.Request) bool {
		got := r.Header.Get("Authorization")
		githubtest.Error(w, http.StatusUnprocessableEntity, "got "+got, "", "errors", []map[string]string{{"message": "bad " + got}})
		return true
	}
	g, _ := serve(t, s, testToken)
	_, err := g.File(t.Context(), mustDraft(t))
	if err == nil || !strings.Contains(err.Error(), "got Bearer [the token]; bad Bearer [the token]") || strings.Contains(hint.Of(err), githubtest.Token) {
		t.Errorf("error %v, hint %q", err, hint.Of(err))
	}
}

// A proxy that wants a password is named, without the one that it was given.
func TestProxyRefuses(t *testing.T) {
	var asked atomic.Int32
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.Method != http.MethodConnect || r.Header.Get("Authorization") != "" {
			t.Errorf("%s with %v", r.Method, r.Header)
		}
		w.Header().Set("Proxy-Authenticate", `Basic realm="farm"`)
		w.WriteHeader(http.StatusProxyAuthRequired)
	}))
	defer proxy.Close()
	at, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	at.User = url.UserPassword("joe", "sesame")
	g, err := NewGitHub(GitHubOptions{
		API: DefaultAPI, Repo: DefaultRepo, Token: testToken,
		Dialer: &netdial.Dialer{Proxy: http.ProxyURL(at)},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	g.unit = time.Millisecond
	_, findErr := g.Find(t.Context(), "linux-riscv64")
	_, fileErr := g.File(t.Context(), mustDraft(t))
	if n := asked.Load(); n > 2 {
		t.Errorf("the proxy was asked %d times for two calls: that may lock an account", n)
	}
	for _, err := range []error{findErr, fileErr} {
		text := fmt.Sprint(err, hint.Of(err))
		if err == nil || !strings.Contains(text, "refused CONNECT api.github.com:443: 407") || !strings.Contains(text, "name and password") || strings.Contains(text, "sesame") {
			t.Errorf("error %v, hint %q", err, hint.Of(err))
		}
	}
}

// The token goes to no other host, whoever redirects there; within the host
// a renamed repository is followed.
func TestRedirects(t *testing.T) {
	other := server()
	_, otherSrv := serve(t, other, testToken)
	for _, status := range []int{301, 302, 307, 308} {
		s := server()
		s.Trouble = func(w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, otherSrv.URL+r.URL.RequestURI(), status)
			return true
		}
		g, _ := serve(t, s, testToken)
		_, findErr := g.Find(t.Context(), "linux-riscv64")
		_, fileErr := g.File(t.Context(), mustDraft(t))
		for _, err := range []error{findErr, fileErr} {
			if err == nil || !strings.Contains(err.Error(), "redirects to another host") || !strings.Contains(hint.Of(err), "--github-api") {
				t.Errorf("%d: error %v, hint %q", status, err, hint.Of(err))
			}
		}
	}
	if calls := other.Calls(""); len(calls) != 0 {
		t.Errorf("the other host was called: %+v", calls)
	}

	s := server()
	s.Trouble = func(w http.ResponseWriter, r *http.Request) bool {
		old := strings.Contains(r.URL.Path, "/repos/old/name/")
		if old {
			http.Redirect(w, r, strings.Replace(r.URL.RequestURI(), "/old/name/", "/golang/go/", 1), http.StatusTemporaryRedirect)
		}
		return old
	}
	g, _ := serve(t, s, testToken)
	g.owner, g.name = "old", "name"
	filed, err := g.File(t.Context(), mustDraft(t))
	if err != nil || len(s.Issues()) != 1 || filed.Number != 1 {
		t.Errorf("%+v, %v, %d issues", filed, err, len(s.Issues()))
	}
	for _, call := range s.Calls("") {
		if call.Authorization != "Bearer "+githubtest.Token {
			t.Errorf("%s %s without the token", call.Method, call.Path)
		}
	}
}

// Even if a call for another host reached the transport, it would carry no
// token.
func TestTransportKeepsToken(t *testing.T) {
	var seen []string
	base := roundTripper(func(r *http.Request) (*http.Response, error) {
		seen = append(seen, r.Header.Get("Authorization"))
		return &http.Response{StatusCode: 200, Body: http.NoBody, Request: r}, nil
	})
	api, err := parseAPI("https://api.example/")
	if err != nil {
		t.Fatal(err)
	}
	tr := newTransport(base, api, testToken)
	for _, address := range []string{"https://api.example/x", "https://other.example/x", "http://api.example/x", "https://api.example:8443/x"} {
		req := httptest.NewRequest("GET", address, nil)
		req.RequestURI = ""
		if _, err := tr.RoundTrip(req); err != nil {
			t.Fatal(err)
		}
	}
	if strings.Join(seen, ",") != "Bearer "+githubtest.Token+",,," {
		t.Errorf("Authorization %q", seen)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
