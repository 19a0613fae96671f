package request

import (
	"context"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-github/v92/github"

	"gobuild/pkg/api"
	"gobuild/pkg/botcert"
	"gobuild/pkg/hint"
	"gobuild/pkg/lazyre"
)

// waitingForInfo is the label for what waits for its author; Go's gopherbot
// closes such an issue after a month of silence.
const waitingForInfo = "WaitingForInfo"

// Status is how far a request on GitHub has come.
type Status struct {
	Issue
	Assignees []string `json:"assignees"`
	Comments  int      `json:"comments"`
	// Last is the last comment of a person; nil if there is none.
	Last *Comment `json:"lastComment,omitempty"`
	// Turn is whose turn it is: api.TurnOwner, api.TurnMaintainer (the team)
	// or api.TurnNobody. Why says from what that follows.
	Turn string `json:"turn"`
	Why  string `json:"why"`
	// Certificate is the address of the newest certificate that the team has
	// posted: the attachment, or the comment that holds it; empty: none.
	Certificate string `json:"certificate,omitempty"`
}

// Comment is a person's word on a request.
type Comment struct {
	Author string `json:"author"`
	// Role is "owner" for who filed the request, "team" for others who have
	// contributed to the repository, and "other".
	Role string    `json:"role"`
	URL  string    `json:"url"`
	Time time.Time `json:"time"`
}

// The roles of a Comment.
const (
	roleOwner = "owner"
	roleTeam  = "team"
	roleOther = "other"
)

// Status reads how far the request with the number has come. It needs no
// token in a public repository.
func (g *GitHub) Status(ctx context.Context, number int) (Status, error) {
	ctx, cancel := context.WithTimeout(ctx, g.answerWait)
	defer cancel()
	what := fmt.Sprintf("read %s#%d", g.Repo(), number)
	issue, resp, err := g.client.Issues.Get(ctx, g.owner, g.name, number)
	if err != nil {
		return Status{}, g.explain(what, resp, err)
	}
	if issue.GetNumber() == 0 {
		return Status{}, hint.With(fmt.Errorf("%s: the answer is no issue", what), "is %s the address of a GitHub API?", g.api)
	}
	var comments []*github.IssueComment
	opts := &github.IssueListCommentsOptions{ListOptions: github.ListOptions{PerPage: 100}}
	for range maxPages {
		page, resp, err := g.client.Issues.ListComments(ctx, g.owner, g.name, number, opts)
		if err != nil {
			return Status{}, g.explain(what, resp, err)
		}
		comments = append(comments, page...)
		if opts.Page = resp.NextPage; resp.NextPage == 0 {
			break
		}
	}
	return newStatus(issue, comments), nil
}

// newStatus judges an issue by itself and its comments, the oldest first.
func newStatus(issue *github.Issue, comments []*github.IssueComment) Status {
	s := Status{Issue: newIssue(issue), Assignees: []string{}, Comments: len(comments)}
	for _, user := range issue.Assignees {
		s.Assignees = append(s.Assignees, user.GetLogin())
	}
	spoke := roleOwner // the issue is the owner's first word
	hasCSR := csrRE.MatchString(issue.GetBody())
	for _, c := range comments {
		user := c.GetUser()
		if isBot(user) {
			continue
		}
		role := roleOf(user.GetLogin(), s.Author, c.GetAuthorAssociation())
		s.Last = &Comment{Author: user.GetLogin(), Role: role, URL: c.GetHTMLURL(), Time: c.GetCreatedAt().UTC()}
		if role != roleOther {
			spoke = role
		}
		hasCSR = hasCSR || csrRE.MatchString(c.GetBody())
		if role == roleTeam {
			if at := certificateRE.FindString(c.GetBody()); strings.HasPrefix(at, "https:") {
				s.Certificate = at
			} else if at != "" {
				s.Certificate = c.GetHTMLURL()
			}
		}
	}
	s.Turn, s.Why = s.judge(spoke, hasCSR, issue.GetStateReason())
	return s
}

// judge says whose turn it is, and why.
func (s Status) judge(spoke string, hasCSR bool, reason string) (turn, why string) {
	switch waits := slices.Contains(s.Labels, waitingForInfo); {
	case s.State == "closed" && reason == "not_planned":
		return api.TurnNobody, "it was closed without being done"
	case s.State == "closed":
		return api.TurnNobody, "it is closed"
	case spoke == roleTeam && waits:
		return api.TurnOwner, "the team waits for an answer (label " + waitingForInfo + "); after a month without one it is closed"
	case spoke == roleTeam:
		return api.TurnOwner, "the team spoke last"
	case !hasCSR:
		return api.TurnOwner, "the certificate signing request is not there yet"
	case s.Last == nil && waits:
		return api.TurnOwner, "the team waits for more (label " + waitingForInfo + ")"
	case s.Last == nil:
		return api.TurnMaintainer, "nobody of the team has answered yet"
	}
	return api.TurnMaintainer, "the owner spoke last"
}

var (
	// csrRE finds a CSR, or the address of one that is attached.
	csrRE = lazyre.New(`-----BEGIN (NEW )?CERTIFICATE REQUEST-----|https://[^\s()<>"]*\bcsr(\.txt)?\b`)
	// certificateRE finds a certificate, or the address of one that is attached.
	certificateRE = lazyre.New(`https://[^\s()<>"]+\.cert(\.txt)?\b|-----BEGIN CERTIFICATE-----`)
)

// isBot reports whether a user is a program. Go's gopherbot is one that
// GitHub does not mark.
func isBot(user *github.User) bool {
	return user.GetType() == "Bot" || strings.HasSuffix(user.GetLogin(), "[bot]") || user.GetLogin() == "gopherbot"
}

// roleOf returns the role of a comment's author. Membership may be private,
// and then shows as that of a contributor, as who can sign and define
// builders always is.
func roleOf(login, owner, association string) string {
	switch {
	case strings.EqualFold(login, owner):
		return roleOwner
	case slices.Contains([]string{"OWNER", "MEMBER", "COLLABORATOR", "CONTRIBUTOR"}, association):
		return roleTeam
	}
	return roleOther
}

// ParseNumber returns the number of a request, and the repository if text
// names one, OWNER/NAME: text is 123, #123, OWNER/NAME#123 or the address of
// the issue's page.
func ParseNumber(text string) (number int, repo string, err error) {
	rest := text
	if u, err := url.Parse(text); err == nil && u.Scheme == "https" {
		words := strings.Split(strings.Trim(u.Path, "/"), "/")
		if len(words) != 4 || words[2] != "issues" {
			return 0, "", badNumber(text)
		}
		repo, rest = words[0]+"/"+words[1], words[3]
	} else if before, after, ok := strings.Cut(text, "#"); ok {
		repo, rest = before, after
	}
	number, err = strconv.Atoi(rest)
	if err != nil || number <= 0 || repo != "" && !repoRE.MatchString(repo) {
		return 0, "", badNumber(text)
	}
	return number, repo, nil
}

func badNumber(text string) error {
	return hint.With(fmt.Errorf("%.100q is no issue", text), "give its number, or its address: https://github.com/%s/issues/NUMBER", DefaultRepo)
}

// Own returns the number of the open request for host: the one whose text
// names it, else the only one for its port.
func (g *GitHub) Own(ctx context.Context, host botcert.Host) (int, error) {
	list, err := g.Find(ctx, host.Port.String())
	if err != nil {
		return 0, err
	}
	var numbers []string
	named := regexp.MustCompile(`(^|[^\w-])` + regexp.QuoteMeta(host.Name) + `($|[^\w-])`)
	for _, issue := range list {
		if len(list) == 1 || named.MatchString(issue.body) {
			return issue.Number, nil
		}
		numbers = append(numbers, fmt.Sprintf("#%d", issue.Number))
	}
	if list == nil {
		return 0, hint.With(fmt.Errorf("%s has no open request for %s", g.Repo(), host.Port), "give its number: a closed one is not looked for")
	}
	return 0, hint.With(fmt.Errorf("%s has several open requests for %s, and none names %s", g.Repo(), host.Port, host.Name),
		"give its number; there are %s", strings.Join(numbers, ", "))
}
