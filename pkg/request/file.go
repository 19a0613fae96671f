package request

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/go-github/v92/github"

	"gobuild/pkg/hint"
)

// How long and how often File goes on trying.
const (
	fileAttempts = 3
	maxRateWait  = 90 // seconds of a rate limit that are waited out
)

// Filed is a request that has been filed.
type Filed struct {
	Issue
	// MissingLabels are those that GitHub dropped, as it does silently where
	// the account may not set labels.
	MissingLabels []string `json:"missingLabels"`
	// Recovered says that the answer was lost, and that the issue was found
	// by its marker.
	Recovered bool `json:"recovered,omitempty"`
}

// File files d, once. It is sent again only where it cannot have been filed:
// no connection was made, or GitHub refused it for a rate limit of at most 90
// seconds. After any other failure that leaves it open, File looks for the
// issue. Find is left to the caller.
func (g *GitHub) File(ctx context.Context, d *Draft) (Filed, error) {
	what := "file the request in " + g.Repo()
	for attempt := 1; ; attempt++ {
		issue, resp, sent, err := g.post(ctx, d)
		if err == nil {
			return filed(d, issue), nil
		}
		unsure := sent && (resp == nil || resp.StatusCode/100 == 2 || resp.StatusCode >= 500)
		again, _ := worthRetry(ctx, nil, err)
		again = again && !sent
		units, why := 1<<attempt, "no connection"
		if limit, limited := rateLimit(resp, time.Now()); limited && limit <= maxRateWait*time.Second {
			again, why = true, "GitHub's rate limit"
			units = int(limit/time.Second) + 1
		}
		explained := g.explain(what, resp, err)
		switch {
		case unsure:
			return g.findLost(ctx, d, explained)
		case !again || attempt == fileAttempts:
			return Filed{}, explained
		}
		if err := g.wait(ctx, why, units); err != nil {
			return Filed{}, fmt.Errorf("%s: %w", what, err)
		}
	}
}

// post sends d. sent says whether GitHub may have got it.
func (g *GitHub) post(ctx context.Context, d *Draft) (_ *github.Issue, _ *github.Response, sent bool, _ error) {
	ctx, cancel := context.WithTimeout(ctx, g.answerWait)
	defer cancel()
	var connected atomic.Bool // the transport may still dial when Create is back
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	})
	issue, resp, err := g.client.Issues.Create(ctx, g.owner, g.name, github.CreateIssueRequest{
		Title: d.Title, Body: &d.Body, Labels: d.Labels,
	})
	if err == nil && (issue.GetNumber() == 0 || issue.GetHTMLURL() == "") {
		err = errors.New("the answer is not what GitHub sends")
	}
	return issue, resp, connected.Load(), err
}

// findLost looks for the issue of d after the answer to its filing was lost.
func (g *GitHub) findLost(ctx context.Context, d *Draft, lost error) (Filed, error) {
	for _, pause := range []int{1, 2, 4} {
		if err := g.wait(ctx, "the answer was lost; looking whether it was filed", pause); err != nil {
			break
		}
		if issue := g.latest(ctx, d.parts.ID); issue != nil {
			f := filed(d, issue)
			f.Recovered = true
			return f, nil
		}
	}
	// Not wrapped: an interruption here is more than that.
	return Filed{}, hint.With(fmt.Errorf("%v; it may have been filed all the same, but GitHub does not show it yet", lost),
		"look at %s in a minute before you file it again", g.webURL("issues")+"?q=is%3Aissue+author%3A%40me+sort%3Acreated-desc")
}

// latest returns the issue with the marker of id, if it is one of the last.
func (g *GitHub) latest(ctx context.Context, id string) *github.Issue {
	ctx, cancel := context.WithTimeout(ctx, g.answerWait)
	defer cancel()
	issues, _, err := g.client.Issues.ListByRepo(ctx, g.owner, g.name, &github.IssueListByRepoOptions{
		State: "all", Sort: "created", Direction: "desc", ListOptions: github.ListOptions{PerPage: 30},
	})
	if err != nil {
		return nil
	}
	for _, issue := range issues {
		if strings.Contains(issue.GetBody(), marker(id)) {
			return issue
		}
	}
	return nil
}

// filed returns the outcome for the issue that d became.
func filed(d *Draft, from *github.Issue) Filed {
	f := Filed{Issue: newIssue(from), MissingLabels: []string{}}
	for _, label := range d.Labels {
		if !slices.Contains(f.Labels, label) {
			f.MissingLabels = append(f.MissingLabels, label)
		}
	}
	return f
}
