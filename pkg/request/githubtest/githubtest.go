// Package githubtest plays the part of GitHub's REST API that requests for
// builders need, for tests: issues of a repository, their comments, the
// search, and GitHub's answers where something is wrong.
//
// What an error looks like, and that labels of people without the right are
// dropped, is as GitHub does it; the rest is as simple as the tests allow.
package githubtest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Token is the one that a Server takes.
const Token = "ghp_0123456789abcdefghijABCDEFGHIJ012345"

// Issue is an issue of a Server.
type Issue struct {
	Number      int       `json:"number"`
	Title       string    `json:"title"`
	Body        string    `json:"body"`
	State       string    `json:"state"`
	StateReason string    `json:"state_reason,omitempty"`
	User        User      `json:"user"`
	Labels      []Label   `json:"labels"`
	Assignees   []User    `json:"assignees"`
	CreatedAt   time.Time `json:"created_at"`
	HTMLURL     string    `json:"html_url"`
	PullRequest *struct{} `json:"pull_request,omitempty"`

	Comments []Comment `json:"-"`
}

// User is somebody on GitHub; Type is "User" or "Bot".
type User struct {
	Login string `json:"login"`
	Type  string `json:"type"`
}

// Label is a label of an issue.
type Label struct {
	Name string `json:"name"`
}

// Comment is a comment on an issue.
type Comment struct {
	User        User      `json:"user"`
	Body        string    `json:"body"`
	Association string    `json:"author_association"`
	CreatedAt   time.Time `json:"created_at"`
	HTMLURL     string    `json:"html_url"`
}

// Call is what a Server was asked.
type Call struct {
	Method, Path  string
	Authorization string
	Body          string
}

// Server is a GitHub with one repository. Its exported fields are set before
// it serves, or by Set; the methods are safe for use by several goroutines.
type Server struct {
	Repo string // OWNER/NAME
	Push bool   // the token's account may set labels
	// Trouble, if not nil, may answer in place of the Server, and reports
	// whether it did.
	Trouble func(w http.ResponseWriter, r *http.Request) bool
	// Filed, if not nil, answers in place of the Server after an issue was
	// filed.
	Filed func(w http.ResponseWriter, r *http.Request)
	// Prefix is what stands before the paths of the API: "/api/v3".
	Prefix string

	mu     sync.Mutex
	issues []*Issue
	calls  []Call
}

// Set lets change set exported fields while the Server serves.
func (s *Server) Set(change func(*Server)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

// Add files an issue; its number, state, author, time and address are filled
// in where they are missing. It returns the number.
func (s *Server) Add(issue Issue) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if issue.Number == 0 {
		issue.Number = len(s.issues) + 1
	}
	if issue.State == "" {
		issue.State = "open"
	}
	if issue.User == (User{}) {
		issue.User = User{"joe", "User"}
	}
	if issue.CreatedAt.IsZero() {
		issue.CreatedAt = time.Now().UTC()
	}
	issue.HTMLURL = fmt.Sprintf("https://github.test/%s/issues/%d", s.Repo, issue.Number)
	issue.Labels = append([]Label{}, issue.Labels...)
	issue.Assignees = append([]User{}, issue.Assignees...)
	for i := range issue.Comments {
		issue.Comments[i].HTMLURL = fmt.Sprintf("%s#issuecomment-%d", issue.HTMLURL, i+1)
	}
	s.issues = append(s.issues, &issue)
	return issue.Number
}

// Comment adds a comment to an issue.
func (s *Server) Comment(number int, c Comment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, issue := range s.issues {
		if issue.Number == number {
			c.CreatedAt = time.Now().UTC()
			c.HTMLURL = fmt.Sprintf("%s#issuecomment-%d", issue.HTMLURL, len(issue.Comments)+1)
			issue.Comments = append(issue.Comments, c)
		}
	}
}

// Issues returns copies of the issues, the oldest first.
func (s *Server) Issues() []Issue {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []Issue
	for _, issue := range s.issues {
		list = append(list, *issue)
	}
	return list
}

// Calls returns what the Server was asked with the method; "" means any.
func (s *Server) Calls(method string) []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.calls), func(c Call) bool { return method != "" && c.Method != method })
}

// ServeHTTP answers a call.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	s.calls = append(s.calls, Call{r.Method, r.URL.RequestURI(), r.Header.Get("Authorization"), string(body)})
	trouble, push, filed := s.Trouble, s.Push, s.Filed
	s.mu.Unlock()
	if trouble != nil && trouble(w, r) {
		return
	}
	auth := r.Header.Get("Authorization")
	if auth != "" && auth != "Bearer "+Token {
		Error(w, http.StatusUnauthorized, "Bad credentials", "https://docs.github.com/rest")
		return
	}
	path := strings.TrimPrefix(r.URL.Path, s.Prefix)
	below, ok := strings.CutPrefix(path, "/repos/"+s.Repo+"/issues")
	words := strings.Split(strings.Trim(below, "/"), "/")
	switch {
	case path == "/search/issues" && r.Method == http.MethodGet:
		s.search(w, r)
	case !ok:
		Error(w, http.StatusNotFound, "Not Found", "https://docs.github.com/rest")
	case below == "" && r.Method == http.MethodPost && auth == "":
		Error(w, http.StatusUnauthorized, "Requires authentication", "https://docs.github.com/rest/issues/issues#create-an-issue")
	case below == "" && r.Method == http.MethodPost:
		s.create(w, r, body, push, filed)
	case below == "":
		s.list(w, r)
	case len(words) <= 2:
		s.one(w, r, words)
	default:
		Error(w, http.StatusNotFound, "Not Found", "https://docs.github.com/rest")
	}
}

// Error answers as GitHub does where something is wrong. extra are further
// members of the body, alternating names and values.
func Error(w http.ResponseWriter, status int, message, documentation string, extra ...any) {
	body := map[string]any{"message": message, "documentation_url": documentation, "status": strconv.Itoa(status)}
	for i := 0; i+1 < len(extra); i += 2 {
		body[extra[i].(string)] = extra[i+1]
	}
	answer(w, status, body)
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}

// create files an issue, and answers unless filed does.
func (s *Server) create(w http.ResponseWriter, r *http.Request, body []byte, push bool, filed http.HandlerFunc) {
	var in struct {
		Title, Body string
		Labels      []string
	}
	if err := json.Unmarshal(body, &in); err != nil {
		Error(w, http.StatusBadRequest, "Problems parsing JSON", "https://docs.github.com/rest/issues/issues#create-an-issue")
		return
	}
	if len([]rune(in.Body)) > 65536 {
		Error(w, http.StatusUnprocessableEntity, "Validation Failed", "https://docs.github.com/rest/issues/issues#create-an-issue",
			"errors", []map[string]string{{"resource": "Issue", "code": "custom", "field": "body", "message": "body is too long (maximum is 65536 characters)"}})
		return
	}
	issue := Issue{Title: in.Title, Body: in.Body}
	if push {
		for _, name := range in.Labels {
			issue.Labels = append(issue.Labels, Label{name})
		}
	}
	number := s.Add(issue)
	if filed != nil {
		filed(w, r)
		return
	}
	answer(w, http.StatusCreated, s.byNumber(number))
}

func (s *Server) byNumber(number int) *Issue {
	for _, issue := range s.Issues() {
		if issue.Number == number {
			return &issue
		}
	}
	return nil
}

// one answers for an issue, or its comments.
func (s *Server) one(w http.ResponseWriter, r *http.Request, words []string) {
	number, _ := strconv.Atoi(words[0])
	issue := s.byNumber(number)
	switch {
	case issue == nil:
		Error(w, http.StatusNotFound, "Not Found", "https://docs.github.com/rest/issues/issues#get-an-issue")
	case len(words) == 1:
		answer(w, http.StatusOK, issue)
	default:
		page(w, r, issue.Comments)
	}
}

// list answers with the issues, the newest first.
func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	var list []Issue
	for _, issue := range s.Issues() {
		open := q.Get("state") == "all" || issue.State == "open"
		labelled := q.Get("labels") == "" || slices.Contains(issue.Labels, Label{q.Get("labels")})
		if open && labelled {
			list = append(list, issue)
		}
	}
	slices.Reverse(list)
	page(w, r, list)
}

// search finds the open issues whose titles hold every quoted word.
func (s *Server) search(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query().Get("q")
	if !strings.Contains(q, "repo:"+s.Repo+" ") {
		Error(w, http.StatusUnprocessableEntity, "Validation Failed", "https://docs.github.com/v3/search/", "errors", []map[string]string{{
			"message":  "The listed users and repositories cannot be searched either because the resources do not exist or you do not have permission to view them.",
			"resource": "Search", "field": "q", "code": "invalid",
		}})
		return
	}
	norm := strings.NewReplacer("/", "-")
	items := []Issue{}
	for _, issue := range s.Issues() {
		found := issue.State == "open"
		for i, word := range strings.Split(q, `"`) {
			// To the search, "/" and "-" are the same.
			found = found && (i%2 == 0 || strings.Contains(norm.Replace(strings.ToLower(issue.Title)), norm.Replace(word)))
		}
		if found {
			items = append(items, issue)
		}
	}
	answer(w, http.StatusOK, map[string]any{"total_count": len(items), "incomplete_results": false, "items": items})
}

// page answers with the page of a list that is asked for, and where the next is.
func page[T any](w http.ResponseWriter, r *http.Request, list []T) {
	q := r.URL.Query()
	size, err := strconv.Atoi(q.Get("per_page"))
	if err != nil {
		size = 30
	}
	n, err := strconv.Atoi(q.Get("page"))
	if err != nil {
		n = 1
	}
	from, to := min((n-1)*size, len(list)), min(n*size, len(list))
	if to < len(list) {
		q.Set("page", strconv.Itoa(n+1))
		w.Header().Set("Link", fmt.Sprintf(`<https://%s%s?%s>; rel="next"`, r.Host, r.URL.Path, q.Encode()))
	}
	answer(w, http.StatusOK, append([]T{}, list[from:to]...))
}
