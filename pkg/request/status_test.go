package request

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-github/v92/github"

	"gobuild/pkg/api"
	"gobuild/pkg/botcert"
	"gobuild/pkg/hint"
	"gobuild/pkg/request/githubtest"
)

// People of the tests; joe is the owner.
var (
	joe    = githubtest.User{Login: "joe", Type: "User"}
	member = githubtest.User{Login: "dmitshur", Type: "User"}
	other  = githubtest.User{Login: "passer-by", Type: "User"}
	gopher = githubtest.User{Login: "gopherbot", Type: "User"}
	app    = githubtest.User{Login: "stale[bot]", Type: "Bot"}
)

func TestStatus(t *testing.T) {
	const (
		csr  = "[x.csr.txt](https://github.com/golang/go/files/1/x.csr.txt)"
		cert = "Here's the certificate: [x.cert.txt](https://github.com/golang/go/files/2/x-1.cert.txt)."
		pem  = "```\n-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----\n```"
	)
	say := func(user githubtest.User, association, body string) githubtest.Comment {
		return githubtest.Comment{User: user, Association: association, Body: body, CreatedAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	}
	waiting := []githubtest.Label{{Name: Label}, {Name: waitingForInfo}}
	for _, tt := range []struct {
		name      string
		issue     githubtest.Issue
		turn, why string
		last      string // author and role
		cert      string
	}{
		{"fresh", githubtest.Issue{Body: csr}, api.TurnMaintainer, "nobody of the team", "", ""},
		{"our own", githubtest.Issue{Body: mustDraft(t).Body}, api.TurnMaintainer, "nobody of the team", "", ""},
		{"without CSR", githubtest.Issue{Body: "It follows as an attachment, `x.csr.txt`."}, api.TurnOwner, "request is not there", "", ""},
		{"CSR in a comment", githubtest.Issue{Comments: []githubtest.Comment{say(joe, "NONE", csr)}}, api.TurnMaintainer, "owner spoke last", "joe owner", ""},
		{"CSR in an odd file", githubtest.Issue{Body: "[renamed](https://github.com/golang/go/files/12852531/csr.txt)"}, api.TurnMaintainer, "nobody", "", ""},
		{"certificate", githubtest.Issue{Body: csr, Comments: []githubtest.Comment{say(member, "MEMBER", cert)}},
			api.TurnOwner, "team spoke last", "dmitshur team", "https://github.com/golang/go/files/2/x-1.cert.txt"},
		{"certificate as a block", githubtest.Issue{Body: csr, Comments: []githubtest.Comment{say(member, "CONTRIBUTOR", pem)}},
			api.TurnOwner, "team spoke last", "dmitshur team", "https://github.test/golang/go/issues/1#issuecomment-1"},
		{"owner answers", githubtest.Issue{Body: csr, Comments: []githubtest.Comment{say(member, "MEMBER", cert), say(joe, "NONE", "thanks")}},
			api.TurnMaintainer, "owner spoke last", "joe owner", "https://github.com/golang/go/files/2/x-1.cert.txt"},
		{"owner's own certificate", githubtest.Issue{Body: csr, Comments: []githubtest.Comment{say(joe, "NONE", pem)}},
			api.TurnMaintainer, "owner spoke last", "joe owner", ""},
		{"certificate of a stranger", githubtest.Issue{Body: csr, Comments: []githubtest.Comment{say(member, "MEMBER", cert), say(other, "NONE", pem)}},
			api.TurnOwner, "team spoke last", "passer-by other", "https://github.com/golang/go/files/2/x-1.cert.txt"},
		{"bots and strangers", githubtest.Issue{Body: csr, Comments: []githubtest.Comment{
			say(member, "MEMBER", "ok"), say(other, "NONE", "me too"), say(gopher, "MEMBER", "Change 1 mentions this issue"), say(app, "NONE", "stale")}},
			api.TurnOwner, "team spoke last", "passer-by other", ""},
		{"waiting", githubtest.Issue{Body: csr, Labels: waiting, Comments: []githubtest.Comment{say(member, "MEMBER", "which RAM?")}},
			api.TurnOwner, "after a month", "dmitshur team", ""},
		{"waiting, without a word", githubtest.Issue{Body: csr, Labels: waiting}, api.TurnOwner, "WaitingForInfo", "", ""},
		{"waiting, but answered", githubtest.Issue{Body: csr, Labels: waiting, Comments: []githubtest.Comment{say(member, "MEMBER", "?"), say(joe, "NONE", "!")}},
			api.TurnMaintainer, "owner spoke last", "joe owner", ""},
		{"closed", githubtest.Issue{Body: csr, State: "closed", StateReason: "completed"}, api.TurnNobody, "closed", "", ""},
		{"given up", githubtest.Issue{Body: csr, State: "closed", StateReason: "not_planned"}, api.TurnNobody, "without being done", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := server()
			tt.issue.Title = "x/build: add linux-riscv64 builder"
			number := s.Add(tt.issue)
			g, _ := serve(t, s, Token{})
			got, err := g.Status(t.Context(), number)
			if err != nil {
				t.Fatal(err)
			}
			last := ""
			if got.Last != nil {
				last = got.Last.Author + " " + got.Last.Role
			}
			if got.Turn != tt.turn || !strings.Contains(got.Why, tt.why) || last != tt.last || got.Certificate != tt.cert {
				t.Errorf("turn %s because %q, last %q, certificate %q;\nwant %s %q, %q, %q", got.Turn, got.Why, last, got.Certificate, tt.turn, tt.why, tt.last, tt.cert)
			}
			if got.Comments != len(tt.issue.Comments) {
				t.Errorf("%d comments", got.Comments)
			}
		})
	}
}

// The last word is on the last page.
func TestStatusOfManyComments(t *testing.T) {
	s := server()
	issue := githubtest.Issue{Title: "x", Assignees: []githubtest.User{member}}
	for n := range 230 {
		who := joe
		if n == 229 {
			who = member
		}
		issue.Comments = append(issue.Comments, githubtest.Comment{User: who, Association: "MEMBER", Body: fmt.Sprint(n)})
	}
	s.Add(issue)
	g, _ := serve(t, s, testToken)
	got, err := g.Status(t.Context(), 1)
	if err != nil || got.Turn != api.TurnOwner || got.Comments != 230 || len(got.Assignees) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestOwn(t *testing.T) {
	host, err := botcert.CheckHost("linux-riscv64-joe", false)
	if err != nil {
		t.Fatal(err)
	}
	s := server()
	g, _ := serve(t, s, Token{})
	if _, err := g.Own(t.Context(), host); err == nil || !strings.Contains(err.Error(), "no open request") {
		t.Errorf("of none: %v", err)
	}
	issue := githubtest.Issue{Title: "x/build: add linux-riscv64 builder", Body: "host name linux-riscv64-jim"}
	s.Add(issue)
	if n, err := g.Own(t.Context(), host); n != 1 || err != nil {
		t.Errorf("the only one: %d, %v", n, err)
	}
	s.Add(issue)
	if _, err := g.Own(t.Context(), host); err == nil || !strings.Contains(hint.Of(err), "#2, #1") {
		t.Errorf("of others': %v, hint %q", err, hint.Of(err))
	}
	issue.Body = "host name linux-riscv64-joe-2, linux-riscv64-joey"
	s.Add(issue)
	if _, err := g.Own(t.Context(), host); err == nil {
		t.Error("another's, whose name begins alike, is taken for it")
	}
	issue.Body = "host name linux-riscv64-joe"
	s.Add(issue)
	s.Add(githubtest.Issue{Title: issue.Title, Body: "of jane"})
	if n, err := g.Own(t.Context(), host); n != 4 || err != nil {
		t.Errorf("by name: %d, %v", n, err)
	}
}

func TestParseNumber(t *testing.T) {
	for text, want := range map[string]string{
		"123":           "123 ",
		"#123":          "123 ",
		"golang/go#123": "123 golang/go",
		"https://github.com/golang/go/issues/123":                  "123 golang/go",
		"https://github.com/golang/go/issues/123#issuecomment-456": "123 golang/go",
		"https://github.com/golang/go/issues/123/":                 "123 golang/go",
		"":                                      "",
		"0":                                     "",
		"-1":                                    "",
		"1e3":                                   "",
		"golang#1":                              "",
		"https://github.com/golang/go/pull/123": "",
		"https://github.com/golang/go/issues":   "",
		"linux-riscv64-joe.1":                   "",
	} {
		number, repo, err := ParseNumber(text)
		got := ""
		if err == nil {
			got = fmt.Sprintf("%d %s", number, repo)
		} else if hint.Of(err) == "" {
			t.Errorf("%q: error %v without a hint", text, err)
		}
		if got != want {
			t.Errorf("%q: %q (%v), want %q", text, got, err, want)
		}
	}
}

// FuzzStatus judges what strangers wrote: whatever it is, somebody's turn it is.
func FuzzStatus(f *testing.F) {
	f.Add("body https://x/csr.txt", "https://x/y.cert.txt", "joe", "MEMBER", "open")
	f.Add("-----BEGIN CERTIFICATE REQUEST-----", "-----BEGIN CERTIFICATE-----", "gopherbot", "", "closed")
	f.Fuzz(func(t *testing.T, body, comment, login, association, state string) {
		s := newStatus(githubIssue(body, state), githubComments(comment, login, association))
		if s.Why == "" || s.Turn != api.TurnOwner && s.Turn != api.TurnMaintainer && s.Turn != api.TurnNobody {
			t.Errorf("%+v", s)
		}
		if s.Certificate != "" && !strings.HasPrefix(s.Certificate, "https:") {
			t.Errorf("certificate at %q", s.Certificate)
		}
	})
}

func githubIssue(body, state string) *github.Issue {
	return &github.Issue{Body: &body, State: &state, User: &github.User{Login: new("joe")}}
}

func githubComments(body, login, association string) []*github.IssueComment {
	return []*github.IssueComment{{
		Body: &body, User: &github.User{Login: &login}, AuthorAssociation: &association, HTMLURL: new("https://github.com/c"),
	}}
}
