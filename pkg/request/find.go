package request

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/go-github/v92/github"

	"gobuild/pkg/hint"
)

// Issue is a request on GitHub.
type Issue struct {
	Number  int       `json:"number"`
	URL     string    `json:"url"`
	Title   string    `json:"title"`
	State   string    `json:"state"` // "open" or "closed"
	Author  string    `json:"author"`
	Created time.Time `json:"created"`
	Labels  []string  `json:"labels"`
	body    string
}

// newIssue returns what is needed of GitHub's answer.
func newIssue(from *github.Issue) Issue {
	issue := Issue{
		Number:  from.GetNumber(),
		URL:     from.GetHTMLURL(),
		Title:   from.GetTitle(),
		State:   from.GetState(),
		Author:  from.GetUser().GetLogin(),
		Created: from.GetCreatedAt().UTC(),
		Labels:  []string{},
		body:    from.GetBody(),
	}
	for _, label := range from.Labels {
		issue.Labels = append(issue.Labels, label.GetName())
	}
	return issue
}

// maxPages bounds how much of a list is read, in pages of 100.
const maxPages = 20

// Find returns the open requests for a builder of the port, the newest first:
// issues with the label whose title names the port, and issues without it
// whose title is that of a request, LUCI's or the coordinator's. It needs no
// token in a public repository.
func (g *GitHub) Find(ctx context.Context, port string) ([]Issue, error) {
	ctx, cancel := context.WithTimeout(ctx, g.answerWait)
	defer cancel()
	what := "look for open requests in " + g.Repo()
	found := map[int]Issue{}
	add := func(issues []*github.Issue, matches func(title string) bool) {
		for _, issue := range issues {
			if !issue.IsPullRequest() && issue.GetState() == "open" && matches(issue.GetTitle()) {
				found[issue.GetNumber()] = newIssue(issue)
			}
		}
	}

	labelled := titleMatcher(port, false)
	opts := &github.IssueListByRepoOptions{State: "open", Labels: []string{Label}, ListOptions: github.ListOptions{PerPage: 100}}
	for range maxPages {
		issues, resp, err := g.client.Issues.ListByRepo(ctx, g.owner, g.name, opts)
		if err != nil {
			return nil, g.explain(what, resp, err)
		}
		add(issues, labelled)
		if opts.ListOptions.Page = resp.NextPage; resp.NextPage == 0 {
			break
		}
	}

	// GitHub drops the label of people who may not set it.
	query := fmt.Sprintf(`repo:%s is:issue is:open in:title "x/build" "%s" builder`, g.Repo(), port)
	result, resp, err := g.client.Search.Issues(ctx, query, &github.SearchOptions{ListOptions: github.ListOptions{PerPage: 100}})
	if err != nil {
		return nil, g.explain(what, resp, err)
	}
	if result.GetIncompleteResults() {
		return nil, hint.With(fmt.Errorf("%s: GitHub's search gave up before it was through", what), "try again in a minute")
	}
	add(result.Issues, titleMatcher(port, true))

	var list []Issue
	for _, issue := range found {
		list = append(list, issue)
	}
	slices.SortFunc(list, func(a, b Issue) int { return b.Number - a.Number })
	return list, nil
}

// titleMatcher returns what tells whether an issue's title is about a builder
// for the port: by its whole form, or, where the label says the rest, by the
// port alone.
func titleMatcher(port string, whole bool) func(string) bool {
	goos, goarch, _ := strings.Cut(port, "-")
	name := regexp.QuoteMeta(goos) + "[-/]" + regexp.QuoteMeta(goarch)
	form := `(^|[^a-z0-9_-])` + name + `($|[^a-z0-9_-])`
	if whole {
		form = `^\s*x/build: *add (a |an |new |luci )*` + name + ` builder\b`
	}
	return regexp.MustCompile(`(?i)` + form).MatchString
}
