package request

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-github/v92/github"

	"gobuild/pkg/hint"
	"gobuild/pkg/netdial"
)

// explain makes of an error of the client one that says what was tried and
// what came back, with the remedy as its hint.
func (g *GitHub) explain(what string, resp *github.Response, err error) error {
	var stray *strayError
	switch {
	case errors.As(err, &stray):
		return hint.With(fmt.Errorf("%s: %w; it was not followed", what, stray), "is --github-api right? The token goes to no other host")
	case resp == nil || resp.Response == nil:
		return g.explainNetwork(what, err)
	}
	status, said, fields := resp.StatusCode, g.message(err), g.fieldErrors(err)
	answer := fmt.Errorf("%s: GitHub answers %d: %s", what, status, strings.Join(append([]string{said}, fields...), "; "))
	if pause, limited := rateLimit(resp, time.Now()); limited {
		return hint.With(answer, "%s is used up: try again in %s, after %s%s", limitName(resp), pause,
			time.Now().Add(pause).UTC().Format("15:04:05 MST"), g.moreWithToken())
	}
	var advice string
	switch {
	case status/100 == 2:
		return hint.With(fmt.Errorf("%s: GitHub answers %d, but not as expected: %w", what, status, err), "is %s the address of a GitHub API?", g.api)
	case status/100 == 3:
		advice = fmt.Sprintf("the repository %s has moved; give its new name with --repo", g.Repo())
	case status == http.StatusUnauthorized:
		advice = g.adviceUnauthorized()
	case status == http.StatusForbidden:
		advice = g.adviceForbidden(resp, said)
	case status == http.StatusNotFound:
		advice = g.adviceNotFound(resp)
	case status == http.StatusGone:
		advice = fmt.Sprintf("%s takes no issues, or this one was deleted; is --repo right?", g.Repo())
	case status == http.StatusUnprocessableEntity:
		advice = g.adviceUnprocessable(said, fields)
	case status == http.StatusTooManyRequests:
		advice = "GitHub asks to slow down: try again in a few minutes" + g.moreWithToken()
	case status >= 500:
		advice = "GitHub has trouble; see https://www.githubstatus.com and try again later"
	default:
		return answer
	}
	return hint.With(answer, "%s", advice)
}

// explainNetwork is explain where no answer came.
func (g *GitHub) explainNetwork(what string, err error) error {
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err
	}
	advice := hint.Of(netdial.Explain(err, g.api.Host, 0)) // the dialer's, if it was that
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("no answer within %s", g.answerWait)
	}
	if advice == "" {
		advice = "the connection broke; try again"
	}
	return hint.With(fmt.Errorf("%s: %s: %w", what, g.api.Host, err), "%s", advice)
}

// message returns what GitHub said, without the token: what answers in place
// of GitHub may send back what it got.
func (g *GitHub) message(err error) string {
	var (
		answer *github.ErrorResponse
		otp    *github.TwoFactorAuthError
		rate   *github.RateLimitError
		abuse  *github.AbuseRateLimitError
		said   string
	)
	switch {
	case errors.As(err, &answer):
		said = answer.Message
	case errors.As(err, &otp):
		said = otp.Message
	case errors.As(err, &rate):
		said = rate.Message
	case errors.As(err, &abuse):
		said = abuse.Message
	}
	if said == "" {
		return "(no reason given)"
	}
	return fmt.Sprintf("%.300s", g.opts.Token.redact(said))
}

// fieldErrors returns what a validation found, an entry a field.
func (g *GitHub) fieldErrors(err error) []string {
	var answer *github.ErrorResponse
	if !errors.As(err, &answer) {
		return nil
	}
	var list []string
	for _, e := range answer.Errors {
		text := e.Message
		if text == "" {
			text = strings.TrimSpace(e.Field + " " + e.Code)
		}
		list = append(list, fmt.Sprintf("%.200s", g.opts.Token.redact(text)))
	}
	return list
}

// rateLimit returns how long a rate limit still holds, if the answer is one
// that says so: the secondary by Retry-After, the primary by its reset.
func rateLimit(resp *github.Response, now time.Time) (time.Duration, bool) {
	if resp == nil || resp.Response == nil || resp.StatusCode != http.StatusForbidden && resp.StatusCode != http.StatusTooManyRequests {
		return 0, false
	}
	if seconds, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && seconds >= 0 {
		return time.Duration(min(seconds, 1<<20)) * time.Second, true
	}
	reset, err := strconv.ParseInt(resp.Header.Get("X-RateLimit-Reset"), 10, 64)
	if err != nil || resp.Header.Get("X-RateLimit-Remaining") != "0" {
		return 0, false
	}
	// Rounded up: too early is in vain.
	return max(time.Unix(reset, 0).Sub(now.Truncate(time.Second)), 0), true
}

// limitName returns which rate limit an answer is about.
func limitName(resp *github.Response) string {
	if resp.Header.Get("X-RateLimit-Remaining") != "0" {
		return "GitHub's limit on how fast content is made"
	}
	return fmt.Sprintf("GitHub's limit of %s calls", resp.Header.Get("X-RateLimit-Limit"))
}

// moreWithToken is advice where calls go without a token.
func (g *GitHub) moreWithToken() string {
	if g.opts.Token.secret != "" {
		return ""
	}
	return "; with a token in $GITHUB_TOKEN the limit is higher"
}

// newTokenAdvice says how to come by a token that works.
const newTokenAdvice = "a classic token with the scope public_repo (GitHub: Settings, Developer settings, Personal access tokens), or that of gh auth login, will do"

func (g *GitHub) adviceUnauthorized() string {
	if g.opts.Token.secret == "" {
		return newTokenAdvice
	}
	return fmt.Sprintf("the token of %s is wrong, has expired or was revoked; %s", g.opts.Token, newTokenAdvice)
}

func (g *GitHub) adviceForbidden(resp *github.Response, said string) string {
	said = strings.ToLower(said)
	has := func(text string) bool { return strings.Contains(said, text) }
	switch {
	case resp.Header.Get("X-GitHub-SSO") != "" || has("saml"):
		return g.adviceSSO(resp.Header.Get("X-GitHub-SSO"))
	case has("rate limit"):
		return "GitHub asks to slow down: try again in a few minutes" + g.moreWithToken()
	case has("resource not accessible"):
		return fmt.Sprintf("the token of %s may not file issues in %s: a fine-grained token reaches only its owner's repositories; %s", g.opts.Token, g.Repo(), newTokenAdvice)
	case has("permission to create labels"):
		return fmt.Sprintf("%s has no label %s, and you may not make it; is --repo right?", g.Repo(), Label)
	case has("archived"):
		return fmt.Sprintf("%s is archived; is --repo right?", g.Repo())
	case has("blocked"):
		return fmt.Sprintf("the owners of %s have blocked this account", g.Repo())
	}
	return fmt.Sprintf("the account of the token may not do this in %s; --web opens the form in a browser instead", g.Repo())
}

// adviceSSO tells where an organization's single sign-on takes the token, if
// the header names a page of GitHub itself.
func (g *GitHub) adviceSSO(header string) string {
	advice := "the organization wants the token to be authorized for its single sign-on"
	_, address, _ := strings.Cut(header, "url=")
	if u, err := url.Parse(strings.TrimSpace(address)); err == nil && u.Scheme == "https" && u.Host == webHost(g.api.Host) {
		return advice + ": open " + u.String()
	}
	return advice + " (GitHub: Settings, Developer settings, Personal access tokens, Configure SSO)"
}

func (g *GitHub) adviceNotFound(resp *github.Response) string {
	// A classic token without the scope gets 404, not 403.
	scopes, classic := resp.Header["X-Oauth-Scopes"]
	if classic && !strings.Contains(strings.Join(scopes, ","), "repo") {
		return fmt.Sprintf("the token of %s lacks the scope public_repo; it has: %s", g.opts.Token, orNone(strings.Join(scopes, ", ")))
	}
	if g.opts.Token.secret == "" {
		return fmt.Sprintf("is there such an issue, and a repository %s? A private one shows itself only to a token in $GITHUB_TOKEN", g.Repo())
	}
	return fmt.Sprintf("is there such an issue, and a repository %s? If so, the token of %s does not see it; %s", g.Repo(), g.opts.Token, newTokenAdvice)
}

func (g *GitHub) adviceUnprocessable(said string, fields []string) string {
	all := strings.ToLower(said + " " + strings.Join(fields, " "))
	switch {
	case strings.Contains(all, "cannot be searched"):
		return fmt.Sprintf("there is no repository %s, or it shows itself only to a token that may see it", g.Repo())
	case strings.Contains(all, "label"):
		return fmt.Sprintf("has %s the label %s?", g.Repo(), Label)
	case strings.Contains(all, "too long"):
		return "leave the report out with --no-report and attach it"
	case strings.Contains(all, "too quickly"):
		return "GitHub takes it for spam: wait some minutes, or file it with --web"
	}
	return "GitHub does not like a part of the request; --web opens the form in a browser instead"
}

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}
